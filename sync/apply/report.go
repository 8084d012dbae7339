package apply

import (
	"slices"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

// Report is how a Service stands on one backend.
type Report struct {
	Backend  string
	Service  state.Ref
	Revision ledger.Revision
	// Settled: what is wanted stands, and nothing is in flight. While
	// members drain it is true as well.
	Settled bool
	// Gone: nothing of the Service stands on the backend any more.
	Gone bool
	// Members are how many pods, or nodes for them, take clients in its
	// pools, and how many next hops its routes have; VMs how many VMs do.
	Members, VMs int
	// Addresses are those of the virtual servers that it has adopted.
	Addresses []state.Address
	// InPlace are the members that Pods wait for and that stand as wanted.
	InPlace []state.ID
	// Problems are why it is not as asked, or is held.
	Problems []state.Problem
}

// tell passes a report on, unless it says what the last one said. A standby
// tells nothing: its mirror may be minutes old.
func (w *Worker) tell(r Report) {
	if !w.act {
		return
	}
	if last, ok := w.told[r.Service]; ok && last.same(r) {
		return
	}
	w.told[r.Service] = r
	if r.Gone && r.Revision == 0 {
		delete(w.told, r.Service)
	}
	w.Report(r)
}

func (r Report) same(o Report) bool {
	return r.Revision == o.Revision && r.Settled == o.Settled && r.Gone == o.Gone && r.Members == o.Members && r.VMs == o.VMs &&
		slices.Equal(r.Addresses, o.Addresses) && slices.Equal(r.InPlace, o.InPlace) && slices.Equal(r.Problems, o.Problems)
}
