package mcp_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"landbridge.dev/testenv/bigip/mcp"
)

type m = map[string]any

func create(s *mcp.Store, kind, parent string, body m) error {
	return s.Update(func(tx *mcp.Tx) error {
		_, err := tx.Create(kind, parent, body)
		return err
	})
}

func TestMonitorRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in, out string
		want          mcp.MonitorRule
	}{
		{name: "none", in: "", out: ""},
		{name: "one", in: "/Common/tcp", out: "/Common/tcp", want: mcp.MonitorRule{Paths: []string{"/Common/tcp"}}},
		{name: "as TMOS 13 writes it", in: "/Common/tcp ", out: "/Common/tcp", want: mcp.MonitorRule{Paths: []string{"/Common/tcp"}}},
		{name: "all of two", in: "/Common/http and /Common/tcp", out: "/Common/http and /Common/tcp", want: mcp.MonitorRule{Paths: []string{"/Common/http", "/Common/tcp"}}},
		{name: "one of two", in: "min 1 of {/Common/http /Common/tcp}", out: "min 1 of { /Common/http /Common/tcp }", want: mcp.MonitorRule{Min: 1, Paths: []string{"/Common/http", "/Common/tcp"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := mcp.ParseMonitorRule(c.in)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.String() != c.out {
				t.Errorf("written as %q, want %q", got, c.out)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, kind, parent string
		body               m
		want               string
	}{
		{"a pool with a monitor that is not there", "ltm/pool", "", m{"name": "x", "monitor": "nope"}, "01020036:3: The requested monitor (/Common/nope) was not found."},
		{"a number out of range", "ltm/pool/members", "/Common/p", m{"name": "10.0.0.9:80", "ratio": int64(0)}, `invalid property value "ratio":0`},
		{"text for a number", "ltm/pool", "", m{"name": "x", "slowRampTime": "soon"}, `invalid property value "slow-ramp-time":"soon"`},
		{"a node without an address", "ltm/node", "", m{"name": "x"}, `"address" must be specified`},
		{"a destination that is none", "ltm/virtual", "", m{"name": "x", "destination": "here"}, `invalid property value "destination":"here"`},
		{"two address families", "ltm/virtual", "", m{"name": "x", "destination": "10.0.0.1:80", "source": "::/0"}, "source and destination address families differ"},
		{"a virtual server with a pool of another partition", "ltm/virtual", "", m{"name": "/a/x", "destination": "10.0.0.1:80", "pool": "/b/p"}, "01070726:3: Virtual Server /a/x in partition a cannot reference Pool /b/p in partition b"},
		{"UDP with a TCP profile", "ltm/virtual", "", m{"name": "x", "destination": "10.0.0.1:80", "ipProtocol": "udp", "profiles": []any{"tcp"}}, "01070096:3: Virtual server /Common/x lists profiles incompatible with its protocol."},
		{"two TCP profiles", "ltm/virtual", "", m{"name": "x", "destination": "10.0.0.1:80", "ipProtocol": "tcp", "profiles": []any{"tcp", "f5-tcp-lan"}}, "01070097:3: Virtual server /Common/x lists duplicate profiles."},
		{"fastL4 beside TCP", "ltm/virtual", "", m{"name": "x", "destination": "10.0.0.1:80", "ipProtocol": "tcp", "profiles": []any{"tcp", "fastL4"}}, "Found disallowed profile on /Common/x: Not Any Of (FastL4 Profile, FastHTTP Profile)"},
		{"TCP on one side only", "ltm/virtual", "", m{"name": "x", "destination": "10.0.0.1:80", "ipProtocol": "tcp", "profiles": []any{m{"name": "tcp", "context": "serverside"}}}, "Less than the required minimum number of profiles found on /Common/x: Exactly 1 of (UDP Profile (clientside), TCP Profile (clientside), SCTP Profile (clientside))"},
		{"a cookie without HTTP", "ltm/virtual", "", m{"name": "x", "destination": "10.0.0.1:80", "ipProtocol": "tcp", "profiles": []any{"tcp"}, "persist": []any{"cookie"}}, "01070309:3: Cookie persistence requires an HTTP or FastHTTP profile"},
		{"two monitors of one name", "ltm/monitor/http", "", m{"name": "tcp"}, "01020066:3: The requested monitor (/Common/tcp) already exists in partition Common."},
		{"an iRule with a brace too many", "ltm/rule", "", m{"name": "x", "apiAnonymous": "when HTTP_REQUEST { } }"}, "01070151:3: Rule [/Common/x] error"},
		{"a string that is too long", "ltm/pool", "", m{"name": "x", "description": strings.Repeat("x", 65536)}, "01020057:3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := mcp.New(mcp.Options{})
			for _, p := range []string{"a", "b"} {
				if err := create(s, "auth/partition", "", m{"name": p}); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range []string{"/Common/p", "/b/p"} {
				if err := create(s, "ltm/pool", "", m{"name": p}); err != nil {
					t.Fatal(err)
				}
			}
			before, err := s.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			err = create(s, c.kind, c.parent, c.body)
			var me *mcp.Error
			if !errors.As(err, &me) || !strings.Contains(me.Message, c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			after, err := s.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(before), string(after)); diff != "" {
				t.Errorf("a refusal changed something (-before +after):\n%s", diff)
			}
		})
	}
}

func TestRouteDomains(t *testing.T) {
	t.Parallel()
	s := mcp.New(mcp.Options{})
	for _, step := range []struct {
		kind string
		body m
	}{
		{"net/route-domain", m{"name": "5", "id": int64(5)}},
		{"auth/partition", m{"name": "rd5", "defaultRouteDomain": int64(5)}},
		{"ltm/pool", m{"name": "/rd5/p", "members": []any{"/rd5/10.0.0.1:80"}}},
		{"ltm/pool", m{"name": "/Common/p", "members": []any{"/Common/10.0.0.1:80"}}},
		{"ltm/virtual", m{"name": "/rd5/v", "destination": "/rd5/203.0.113.1:80"}},
		{"ltm/virtual", m{"name": "/Common/v", "destination": "/Common/203.0.113.1%7:80"}},
	} {
		if err := create(s, step.kind, "", step.body); err != nil {
			t.Fatalf("%s %v: %v", step.kind, step.body["name"], err)
		}
	}
	if err := create(s, "ltm/node", "", m{"name": "/Common/again", "address": "10.0.0.1%5"}); err == nil {
		t.Error("one address is in two nodes of one route domain")
	}
	v, _ := s.Get(mcp.Key{Kind: "ltm/virtual", Path: "/Common/v"})
	if v.Str("source") != "0.0.0.0%7/0" {
		t.Errorf("source %q", v.Str("source"))
	}
	if d, _ := s.DestinationOf(v); d.Address.RD != 7 || d.Port != 80 {
		t.Errorf("destination %+v", d)
	}
}

func TestInheritance(t *testing.T) {
	t.Parallel()
	s := mcp.New(mcp.Options{})
	if err := create(s, "ltm/monitor/http", "", m{"name": "base", "send": "GET /a", "interval": int64(7), "timeout": int64(22)}); err != nil {
		t.Fatal(err)
	}
	if err := create(s, "ltm/monitor/http", "", m{"name": "child", "defaultsFrom": "base", "send": "GET /b"}); err != nil {
		t.Fatal(err)
	}
	o, _ := s.Get(mcp.Key{Kind: "ltm/monitor/http", Path: "/Common/child"})
	if o.Int("interval") != 7 || o.Str("send") != "GET /b" || o.Str("defaultsFrom") != "/Common/base" {
		t.Errorf("child: %v", o.Props)
	}
}

// TestHistories runs random histories of changes, some in transactions: what
// is committed is consistent, and a refused change leaves no trace.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := mcp.New(mcp.Options{})
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			before := traffic(s)
			n := rapid.IntRange(1, 3).Draw(t, "commands")
			err := s.Update(func(tx *mcp.Tx) error {
				for range n {
					if err := randomStep(t, tx); err != nil {
						return err
					}
				}
				return nil
			})
			if after := traffic(s); err != nil && before != after {
				t.Fatalf("refused with %v, and changed something:\n%s", err, cmp.Diff(before, after))
			}
			consistent(t, s)
		}
	})
}

// traffic writes down all traffic objects.
func traffic(s *mcp.Store) string {
	var b strings.Builder
	for _, kind := range []string{"ltm/node", "ltm/pool", "ltm/pool/members", "ltm/virtual", "ltm/virtual/profiles", "ltm/virtual-address"} {
		for _, o := range s.List(kind, "") {
			fmt.Fprintln(&b, o.Key(), o.Generation, o.Props)
		}
	}
	return b.String()
}

func randomStep(t *rapid.T, tx *mcp.Tx) error {
	pool := fmt.Sprintf("/Common/p%d", rapid.IntRange(0, 2).Draw(t, "pool"))
	addr := fmt.Sprintf("10.0.0.%d:%d", rapid.IntRange(1, 3).Draw(t, "host"), rapid.IntRange(80, 81).Draw(t, "port"))
	vs := fmt.Sprintf("/Common/v%d", rapid.IntRange(0, 2).Draw(t, "vs"))
	member := mcp.Key{Kind: "ltm/pool/members", Parent: pool, Path: "/Common/" + addr}
	var err error
	switch rapid.IntRange(0, 8).Draw(t, "op") {
	case 0:
		_, err = tx.Create("ltm/pool", "", m{"name": pool})
	case 1:
		_, err = tx.Create("ltm/pool/members", pool, m{"name": addr})
	case 2:
		_, err = tx.Create("ltm/virtual", "", m{"name": vs, "destination": addr, "pool": pool})
	case 3:
		_, err = tx.Modify(mcp.Key{Kind: "ltm/virtual", Path: vs}, m{"destination": addr, "pool": pool})
	case 4:
		_, err = tx.Replace(mcp.Key{Kind: "ltm/pool", Path: pool}, m{"members": []any{addr, "10.0.0.9:80"}, "description": "x"})
	case 5:
		err = tx.Delete(member)
	case 6:
		err = tx.Delete(mcp.Key{Kind: "ltm/virtual", Path: vs})
	case 7:
		err = tx.Delete(mcp.Key{Kind: "ltm/pool", Path: pool})
	case 8:
		host, _, _ := strings.Cut(addr, ":")
		err = tx.Delete(mcp.Key{Kind: "ltm/node", Path: "/Common/" + host})
	}
	return err
}

// consistent checks what no history may break.
func consistent(t *rapid.T, s *mcp.Store) {
	for _, o := range s.List("ltm/pool/members", "") {
		if _, ok := s.Find("ltm/node", mcp.NodeOf(o)); !ok {
			t.Fatalf("member %s without its node", o.Key())
		}
		if _, ok := s.Find("ltm/pool", o.Parent); !ok {
			t.Fatalf("member %s without its pool", o.Key())
		}
	}
	used := map[string]bool{}
	for _, o := range s.List("ltm/virtual", "") {
		if _, ok := s.Find("ltm/pool", o.Str("pool")); !ok {
			t.Fatalf("virtual server %s without its pool", o.Path)
		}
		dest := o.Str("destination")
		used[dest[:strings.LastIndex(dest, ":")]] = true
	}
	for _, o := range s.List("ltm/virtual-address", "") {
		if !used[o.Path] {
			t.Fatalf("virtual address %s is left over", o.Path)
		}
		delete(used, o.Path)
	}
	if len(used) > 0 {
		t.Fatalf("no virtual address for %v", used)
	}
}
