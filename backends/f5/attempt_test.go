package f5

import (
	"testing"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// TestNamed finds the command that a device's text is about (texts as captured,
// or as the simulator's tests pin them).
func TestNamed(t *testing.T) {
	t.Parallel()
	at, err := state.ParseAddress("10.0.0.5")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := state.Endpoint{Address: at, Port: 80}
	pool := func(path string) *state.Pool { return &state.Pool{Backend: "bigip/dc1", Path: path} }
	member := func(path string) *state.PoolMember {
		return &state.PoolMember{Backend: "bigip/dc1", Pool: path, Member: state.Member{Endpoint: endpoint, Node: "/Common/10.0.0.5"}}
	}
	virtual := func(path string) *state.VirtualServer {
		return &state.VirtualServer{Backend: "bigip/dc1", Path: path}
	}
	node := &state.Node{Backend: "bigip/dc1", Path: "/Common/10.0.0.5", Address: at}
	of := func(service string, o state.Object) command {
		return command{service: state.Ref{Namespace: "shop", Name: service}, change: plan.Change{Op: plan.Update, Before: o, After: o}}
	}
	for _, test := range []struct {
		name, message string
		commands      []command
		want          int
	}{
		{
			name: "the first of two names", want: 1,
			message:  "transaction failed:01070333:3: Virtual Server /web/b illegally shares destination address, source address, service port, and ip-protocol with Virtual Server /web/a.",
			commands: []command{of("a", virtual("/web/a")), of("b", virtual("/web/b"))},
		},
		{
			name: "a member after its pool", want: 2,
			message:  "transaction failed:01020036:3: The requested Pool Member (/web/b /Common/10.0.0.5 80) was not found.",
			commands: []command{of("a", member("/web/a")), of("b", pool("/web/b")), of("b", member("/web/b"))},
		},
		{
			name: "a member that stands already", want: 1,
			message:  "transaction failed:01020066:3: The requested Pool Member (/web/b /Common/10.0.0.5:80) already exists in partition Common.",
			commands: []command{of("a", member("/web/a")), of("b", member("/web/b"))},
		},
		{
			name: "a member that two pools have", want: -1,
			message:  "Found something wrong with /Common/10.0.0.5:80",
			commands: []command{of("a", member("/web/a")), of("b", member("/web/b"))},
		},
		{
			name: "a member of one Service's two pools", want: 0,
			message:  "Found something wrong with /Common/10.0.0.5:80",
			commands: []command{of("a", member("/web/a")), of("a", member("/web/b"))},
		},
		{
			name: "a node by its address", want: 1,
			message:  "transaction failed:0107176c:3: Invalid Node, the IP address 10.0.0.5 already exists.",
			commands: []command{of("a", pool("/web/a")), of("b", node)},
		},
		{
			name: "what only begins alike", want: -1,
			message:  "01020036:3: The requested Pool (/web/ab) was not found, nor /web/a.b, nor x/web/a.",
			commands: []command{of("a", pool("/web/a"))},
		},
		{
			name: "at the end", want: 0,
			message:  "no /web/ab, but /web/a.",
			commands: []command{of("a", pool("/web/a"))},
		},
		{
			name: "nothing of ours", want: -1,
			message:  "transaction failed:01020036:3: The requested profile (/Common/nope) was not found.",
			commands: []command{of("a", virtual("/web/a"))},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := named(test.message, test.commands); got != test.want {
				t.Errorf("named %d, want %d", got, test.want)
			}
		})
	}
}
