package state_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"landbridge.dev/sync/state"
)

// equateComparable lets go-cmp compare what is compared by ==.
var equateComparable = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, state.ID{})

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in, want string // want is what String writes back
		domain         uint16
		err            string
	}{
		{name: "IPv4", in: "10.0.0.1", want: "10.0.0.1"},
		{name: "IPv4 in a route domain", in: "10.0.0.1%2", want: "10.0.0.1%2", domain: 2},
		{name: "the default route domain is not written back", in: "10.0.0.1%0", want: "10.0.0.1"},
		{name: "the highest route domain", in: "10.0.0.1%65534", want: "10.0.0.1%65534", domain: 65534},
		{name: "IPv6", in: "2001:db8::1", want: "2001:db8::1"},
		{name: "IPv6 is written short", in: "2001:0DB8:0:0:0:0:0:1", want: "2001:db8::1"},
		{name: "IPv6 in a route domain, which is no zone", in: "fe80::1%7", want: "fe80::1%7", domain: 7},
		{name: "IPv4 mapped into IPv6 is IPv4", in: "::ffff:10.0.0.1", want: "10.0.0.1"},
		{name: "no address", in: "", err: `"" is not an IP address`},
		{name: "a name", in: "web.example.com", err: `"web.example.com" is not an IP address`},
		{name: "an IPv6 zone is no route domain", in: "fe80::1%eth0", err: `"fe80::1%eth0": route domain "eth0" is not a number from 0 to 65534`},
		{name: "route domain beyond the range", in: "10.0.0.1%65535", err: `"10.0.0.1%65535": route domain "65535" is not a number from 0 to 65534`},
		{name: "route domain below the range", in: "10.0.0.1%-1", err: `"10.0.0.1%-1": route domain "-1" is not a number from 0 to 65534`},
		{name: "an empty route domain", in: "10.0.0.1%", err: `"10.0.0.1%": route domain "" is not a number from 0 to 65534`},
		{name: "leading zeros, which some read as octal", in: "10.0.0.01", err: `"10.0.0.01" is not an IP address`},
		{name: "a prefix", in: "10.0.0.0/24", err: `"10.0.0.0/24" is not an IP address`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, err := state.ParseAddress(test.in)
			if diff := cmp.Diff(test.err, message(err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			if a.String() != test.want || a.RouteDomain != test.domain {
				t.Errorf("got %s in route domain %d, want %s in %d", a, a.RouteDomain, test.want, test.domain)
			}
		})
	}
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want, err string }{
		{name: "IPv4", in: "10.0.0.1:80", want: "10.0.0.1:80"},
		{name: "IPv4 in a route domain", in: "10.0.0.1%2:80", want: "10.0.0.1%2:80"},
		{name: "IPv6", in: "[2001:db8::1]:80", want: "[2001:db8::1]:80"},
		{name: "IPv6 in a route domain", in: "[2001:db8::1%2]:65535", want: "[2001:db8::1%2]:65535"},
		{name: "no port", in: "10.0.0.1", err: `"10.0.0.1" has no port`},
		{name: "IPv6 without brackets could be read in two ways", in: "2001:db8::1:80", err: `"2001:db8::1:80": write an IPv6 address with a port as [address]:port`},
		{name: "bracket left open", in: "[2001:db8::1:80", err: `"[2001:db8::1:80": the bracket is not closed`},
		{name: "port 0 is no port", in: "10.0.0.1:0", err: `"10.0.0.1:0": port "0" is not a number from 1 to 65535`},
		{name: "port beyond the range", in: "10.0.0.1:65536", err: `"10.0.0.1:65536": port "65536" is not a number from 1 to 65535`},
		{name: "a port's name", in: "10.0.0.1:http", err: `"10.0.0.1:http": port "http" is not a number from 1 to 65535`},
		{name: "no address", in: ":80", err: `"" is not an IP address`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e, err := state.ParseEndpoint(test.in)
			if diff := cmp.Diff(test.err, message(err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if err == nil && e.String() != test.want {
				t.Errorf("got %s, want %s", e, test.want)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAddressesSortByRouteDomainThenAddress(t *testing.T) {
	t.Parallel()
	want := []state.Endpoint{
		endpoint(t, "9.0.0.1:80"), endpoint(t, "10.0.0.1:80"), endpoint(t, "10.0.0.1:443"),
		endpoint(t, "[2001:db8::1]:80"), endpoint(t, "9.0.0.1%1:80"),
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, state.Endpoint.Compare)
	if diff := cmp.Diff(want, got, equateComparable); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFrontendString(t *testing.T) {
	t.Parallel()
	f := state.Frontend{Endpoint: endpoint(t, "[2001:db8::1]:53"), Protocol: state.UDP}
	if got, want := f.String(), "[2001:db8::1]:53/udp"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func endpoint(tb testing.TB, s string) state.Endpoint {
	tb.Helper()
	e, err := state.ParseEndpoint(s)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// What is parsed is written so that it parses to the same again, and holds
// neither a zone nor a mapped address, by which equal addresses would differ.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "10.0.0.1%2", "2001:db8::1%65534", "::ffff:1.2.3.4", "::ffff:1.2.3.4%3", "fe80::1%eth0", "%", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := state.ParseAddress(s)
		if err != nil {
			return
		}
		if a.IP.Zone() != "" || a.IP.Is4In6() || !a.IP.IsValid() {
			t.Errorf("%q gives %#v", s, a)
		}
		again, err := state.ParseAddress(a.String())
		if err != nil || again != a {
			t.Errorf("%q gives %s, which gives %s, %v", s, a, again, err)
		}
	})
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"10.0.0.1:80", "10.0.0.1%2:80", "[2001:db8::1]:80", "[2001:db8::1%2]:80", "[10.0.0.1]:80", "[", ":", "[]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := state.ParseEndpoint(s)
		if err != nil {
			return
		}
		if e.Port == 0 {
			t.Errorf("%q gives port 0", s)
		}
		again, err := state.ParseEndpoint(e.String())
		if err != nil || again != e {
			t.Errorf("%q gives %s, which gives %s, %v", s, e, again, err)
		}
	})
}
