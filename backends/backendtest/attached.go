package backendtest

import (
	"net/netip"

	"landbridge.dev/sync/state"
)

// rule is an iRule of ours that does nothing.
func (f Fixture) rule(n int, ending string) *state.IRule {
	return &state.IRule{
		Backend: f.Backend.Name(), Path: f.path(n) + ending, Owner: f.owner(),
		Text: "when CLIENT_ACCEPTED {\n    set x {a \"b\"}\n}",
	}
}

// attachedSpecimens are of the kinds that virtual servers refer to.
func (f Fixture) attachedSpecimens(n int) []specimen {
	var out []specimen
	if f.has(state.KindDataGroup) {
		prefix := netip.MustParsePrefix
		a := &state.DataGroup{
			Backend: f.Backend.Name(), Path: f.path(n) + "_src", Owner: f.owner(),
			Prefixes: []netip.Prefix{prefix("192.0.2.0/24"), prefix("198.51.100.7/32")},
		}
		b := *a
		b.Prefixes = []netip.Prefix{prefix("192.0.2.0/25"), prefix("2001:db8::/32")}
		out = append(out, specimen{first: a, second: &b})
	}
	if f.has(state.KindIRule) {
		a := f.rule(n, "_src")
		b := *a
		b.Text = "when CLIENT_ACCEPTED {\n    reject\n}"
		out = append(out, specimen{first: a, second: &b})
	}
	if f.has(state.KindStaticRoute) {
		a := &state.StaticRoute{
			Backend: f.Backend.Name(), Path: f.path(n) + "_net", Owner: f.owner(),
			Network: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(n), 0}), 24), Gateway: netip.MustParseAddr("172.18.0.2"),
		}
		b := *a
		b.Gateway = netip.MustParseAddr("172.18.0.3")
		out = append(out, specimen{first: a, second: &b})
	}
	if f.has(state.KindPersistence) {
		a := &state.Persistence{Backend: f.Backend.Name(), Path: f.path(n) + "_p", Owner: f.owner(), Timeout: 10800}
		b := *a
		b.Timeout = 60
		out = append(out, specimen{first: a, second: &b})
	}
	return out
}
