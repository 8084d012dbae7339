package config_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/config"
)

func TestRange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in, want string // want is what String writes
		inside         []string
		outside        []string
	}{
		{
			name: "first and last", in: "203.0.113.16-203.0.113.31", want: "203.0.113.16-203.0.113.31",
			inside: []string{"203.0.113.16", "203.0.113.31"}, outside: []string{"203.0.113.15", "203.0.113.32", "::ffff:203.0.113.16", "2001:db8::1"},
		},
		{name: "with blanks", in: "203.0.113.16 - 203.0.113.31", want: "203.0.113.16-203.0.113.31"},
		{name: "a prefix", in: "203.0.113.0/28", want: "203.0.113.0-203.0.113.15", inside: []string{"203.0.113.15"}, outside: []string{"203.0.113.16"}},
		{name: "a prefix written at one of its addresses", in: "203.0.113.5/30", want: "203.0.113.4-203.0.113.7"},
		{name: "a single address", in: "203.0.113.1", want: "203.0.113.1-203.0.113.1"},
		{name: "a prefix of one", in: "203.0.113.1/32", want: "203.0.113.1-203.0.113.1"},
		{name: "all of IPv4", in: "0.0.0.0/0", want: "0.0.0.0-255.255.255.255", outside: []string{"::1"}},
		{
			name: "IPv6", in: "2001:db8:1::/121", want: "2001:db8:1::-2001:db8:1::7f",
			inside: []string{"2001:db8:1::7f"}, outside: []string{"2001:db8:1::80", "203.0.113.1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, err := config.ParseRange(test.in)
			if err != nil || r.String() != test.want {
				t.Fatalf("got %s, %v", r, err)
			}
			for _, a := range test.inside {
				if !r.Contains(netip.MustParseAddr(a)) {
					t.Errorf("%s is not in it", a)
				}
			}
			for _, a := range test.outside {
				if r.Contains(netip.MustParseAddr(a)) {
					t.Errorf("%s is in it", a)
				}
			}
			body, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var again config.Range
			if err := json.Unmarshal(body, &again); err != nil || again != r {
				t.Errorf("written as %s it reads as %s, %v", body, again, err)
			}
		})
	}
}

func TestRangesOverlap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, a, b string
		want       bool
	}{
		{"apart", "203.0.113.0/28", "203.0.113.16/28", false},
		{"at one address", "203.0.113.0-203.0.113.16", "203.0.113.16/28", true},
		{"one in the other", "203.0.113.0/24", "203.0.113.7", true},
		{"of two families", "0.0.0.0/0", "::/0", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, errA := config.ParseRange(test.a)
			b, errB := config.ParseRange(test.b)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if a.Overlaps(b) != test.want || b.Overlaps(a) != test.want {
				t.Errorf("overlap: %t and %t, want %t", a.Overlaps(b), b.Overlaps(a), test.want)
			}
		})
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{`"90s"`: 90 * time.Second, `"0s"`: 0, `"1h30m"`: 90 * time.Minute} {
		var d config.Duration
		if err := json.Unmarshal([]byte(in), &d); err != nil || time.Duration(d) != want {
			t.Errorf("%s is %s, %v", in, time.Duration(d), err)
		}
		body, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var again config.Duration
		if err := json.Unmarshal(body, &again); err != nil || again != d {
			t.Errorf("written as %s it reads as %v, %v", body, again, err)
		}
	}
	for _, in := range []string{`"-1s"`, `"90"`, `90`, `"soon"`, `{}`, `""`} {
		var d config.Duration
		if err := json.Unmarshal([]byte(in), &d); err == nil {
			t.Errorf("%s is %s", in, time.Duration(d))
		}
	}
}

func TestTenant(t *testing.T) {
	t.Parallel()
	payments := map[string]string{"team": "payments"}
	type asked struct {
		namespace string
		labels    map[string]string
	}
	for _, test := range []struct {
		name   string
		tenant config.Tenant
		yes    []asked
		no     []asked
	}{
		{
			"a name is itself alone", config.Tenant{Namespaces: []string{"shop"}},
			[]asked{{"shop", nil}}, []asked{{"shop-eu", nil}, {"sho", nil}, {"", nil}},
		},
		{
			"a glob", config.Tenant{Namespaces: []string{"shop-*", "x*y"}},
			[]asked{{"shop-eu", nil}, {"shop-", nil}, {"xy", nil}, {"x-1-y", nil}}, []asked{{"shop", nil}, {"my-shop-eu", nil}},
		},
		{"all", config.Tenant{Namespaces: []string{"*"}}, []asked{{"shop", nil}}, nil},
		{
			"labels of the namespace", config.Tenant{NamespaceSelector: "team in (payments,billing),!test"},
			[]asked{{"till", payments}}, []asked{{"till", nil}, {"payments", nil}, {"till", map[string]string{"team": "payments", "test": ""}}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, a := range test.yes {
				if !test.tenant.Covers(a.namespace, a.labels) {
					t.Errorf("does not cover %+v", a)
				}
			}
			for _, a := range test.no {
				if test.tenant.Covers(a.namespace, a.labels) {
					t.Errorf("covers %+v", a)
				}
			}
		})
	}
	grants := config.Tenant{Devices: []string{"dc1"}, Partitions: []string{"web"}}
	got := []bool{
		grants.GrantsDevice("dc1"), grants.GrantsDevice("dc2"), config.Tenant{}.GrantsDevice("dc2"),
		grants.GrantsPartition("web"), grants.GrantsPartition("Web"), config.Tenant{}.GrantsPartition("web"),
	}
	if diff := cmp.Diff([]bool{true, false, true, true, false, false}, got); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}
