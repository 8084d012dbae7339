package memory_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"landbridge.dev/backends/backendtest"
	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, func(*testing.T) backendtest.Fixture {
		b := memory.New("memory/a")
		return backendtest.Fixture{
			Backend:  b,
			Identity: state.Identity{Cluster: "prod", UID: "0a1b2c3d"},
			Kinds: []state.Kind{
				state.KindNode, state.KindMonitor, state.KindDataGroup, state.KindIRule, state.KindPersistence,
				state.KindPool, state.KindVirtualServer, state.KindRoute,
			},
			Partition: "web",
			PlaceForeign: func(_ *testing.T, o state.Object) {
				b.Put(o)
			},
			Raw: func(_ *testing.T, id state.ID) string {
				o, ok := b.Set().Get(id)
				if !ok {
					return ""
				}
				return strings.Join(o.Lines(), "\n")
			},
		}
	})
}

func pool(name string) *state.Pool {
	return &state.Pool{
		Backend: "memory/a", Path: "/web/" + name, Mode: "round-robin",
		Owner: state.Owner{Cluster: "prod", UID: "0a1b2c3d", Service: state.Ref{Namespace: "shop", Name: name}},
	}
}

func unit(o state.Object) apply.Unit {
	return apply.Unit{Service: o.OwnedBy().Service, Changes: []plan.Change{{Op: plan.Create, After: o}}}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fault  memory.Fault
		stands bool
	}{
		{name: "refused, nothing happened", fault: memory.Fault{Status: apply.Refused}},
		{name: "unknown, nothing happened", fault: memory.Fault{Status: apply.Unknown}},
		{name: "unknown, the answer was lost", fault: memory.Fault{Status: apply.Unknown, Effect: true}, stands: true},
		{name: "said to be done, but was not", fault: memory.Fault{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := memory.New("memory/a")
			b.SetHook(func(context.Context, plan.Change) *memory.Fault { return &test.fault })
			out := b.Apply(t.Context(), []apply.Unit{unit(pool("p"))})[0]
			if out.Status != test.fault.Status {
				t.Errorf("outcome is %s, want %s", out.Status, test.fault.Status)
			}
			if (out.Err == nil) != (test.fault.Status == apply.Done) {
				t.Errorf("error is %v", out.Err)
			}
			if _, stands := b.Set().Pool("memory/a", "/web/p"); stands != test.stands {
				t.Errorf("the pool stands: %t, want %t", stands, test.stands)
			}
			if b.Writes() > 0 != test.stands {
				t.Errorf("%d writes", b.Writes())
			}
		})
	}
}

func TestBlockingHookHoldsItsUnitAlone(t *testing.T) {
	t.Parallel()
	b := memory.New("memory/a")
	release := make(chan struct{})
	b.SetHook(func(ctx context.Context, c plan.Change) *memory.Fault {
		if strings.HasSuffix(c.ID().Name, "slow") {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return nil
	})
	outs := make(chan []apply.Outcome)
	go func() { outs <- b.Apply(t.Context(), []apply.Unit{unit(pool("slow")), unit(pool("fast"))}) }()
	if err := b.WaitCall(t.Context(), func(c memory.Call) bool { return c.Service.Name == "fast" }); err != nil {
		t.Fatal(err)
	}
	if _, stands := b.Set().Pool("memory/a", "/web/slow"); stands {
		t.Error("the slow pool stands before it was released")
	}
	close(release)
	for i, out := range <-outs {
		if out.Status != apply.Done {
			t.Errorf("unit %d is %s", i, out.Status)
		}
	}
}

func TestReadHook(t *testing.T) {
	t.Parallel()
	b := memory.New("memory/a", pool("p"))
	broken := errors.New("broken")
	b.SetReadHook(func(context.Context, apply.Scope) error { return broken })
	if _, err := b.Read(t.Context(), apply.Scope{}); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
	b.SetReadHook(nil)
	set, err := b.Read(t.Context(), apply.Scope{})
	if err != nil || set.Len() != 1 {
		t.Errorf("read %v, %v", set, err)
	}
	set.Delete(pool("p").ID())
	if b.Set().Len() != 1 {
		t.Error("what was read is not a copy")
	}
	var reads []string
	for _, c := range b.Calls() {
		if c.Read {
			reads = append(reads, c.Status.String())
		}
	}
	if got := strings.Join(reads, " "); got != "unavailable done" {
		t.Errorf("recorded reads: %s", got)
	}
}
