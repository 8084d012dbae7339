package registry

import (
	"maps"
	"slices"
	"time"

	"landbridge.dev/mq/protocol"
	"landbridge.dev/sync/state"
)

const (
	// mostVMs is how many may be registered for one Service.
	mostVMs = 2000
	// mostBoots is how many former boots of an instance are remembered, so
	// that their messages are known for old.
	mostBoots = 8
	// leastBrake is how many VMs of a Service have to be late together before
	// they are taken for cut off.
	leastBrake = 3
)

// lease is what is known of one VM.
type lease struct {
	vm       state.VM // with the condition that it said of itself, or drains
	seq      uint64
	former   []string // boots that were replaced, in their order
	renewed  time.Time
	silent   bool
	draining bool
	probing  probed
}

// until is when the lease runs out; after as long again the VM is gone.
func (l *lease) until() time.Time { return l.renewed.Add(l.vm.Lease) }
func (l *lease) gone() time.Time  { return l.renewed.Add(2 * l.vm.Lease) }

// alive says whether it renewed in time: one that only the brake keeps is in
// nobody's way.
func (l *lease) alive(now time.Time) bool { return !l.silent && now.Before(l.until()) }

// late is when it has missed a heartbeat, which comes every third of a lease.
func (l *lease) late() time.Time { return l.renewed.Add(l.vm.Lease / 2) }

// standing is the VM as others are to see it.
func (l *lease) standing() state.VM {
	vm := l.vm
	switch {
	case l.draining:
		vm.Condition = state.VMDraining
	case l.silent && vm.Condition == state.VMReady:
		vm.Condition = state.VMSilent
	case l.probing.out && vm.Condition == state.VMReady:
		vm.Condition = state.VMUnready
	}
	return vm
}

// roll are the leases of one Service.
type roll struct {
	offer  *state.Registry // nil: nobody may register
	leases map[string]*lease
	braked bool
}

// Table holds the leases of all Services. It is pure but for what it remembers:
// the clock is an argument. It is not safe for concurrent use.
type Table struct {
	rolls map[state.Ref]*roll
}

// NewTable makes an empty table.
func NewTable() *Table { return &Table{rolls: map[state.Ref]*roll{}} }

func (t *Table) roll(ref state.Ref) *roll {
	r := t.rolls[ref]
	if r == nil {
		r = &roll{leases: map[string]*lease{}}
		t.rolls[ref] = r
	}
	return r
}

// Offer takes in what a Service says of registrations; nil is one that takes
// none: its VMs are let go, as are those that are allowed no longer. It says
// whether that changed its VMs.
func (t *Table) Offer(ref state.Ref, offer *state.Registry) bool {
	if offer == nil {
		r := t.rolls[ref]
		delete(t.rolls, ref)
		return r != nil && len(r.leases) > 0
	}
	r := t.roll(ref)
	r.offer = offer
	changed := false
	for _, l := range r.leases {
		if l.probing.out && !offer.Probe {
			l.probing, changed = probed{}, true
		}
	}
	if offer.Held {
		return changed
	}
	before := len(r.leases)
	maps.DeleteFunc(r.leases, func(_ string, l *lease) bool { return !granted(offer, l.vm) })
	return changed || len(r.leases) != before
}

// Adopt takes over VMs that another leader had registered, as if they had
// renewed now, where the Service still takes registrations. Of those that are
// here already, nothing changes, and what is not allowed any more is dropped.
func (t *Table) Adopt(ref state.Ref, vms []state.VM, now time.Time) {
	r := t.rolls[ref]
	if r == nil || r.offer == nil {
		return
	}
	for _, vm := range vms {
		if r.leases[vm.Instance] != nil || !r.offer.Held && !granted(r.offer, vm) {
			continue
		}
		l := &lease{vm: vm, renewed: now, draining: vm.Condition == state.VMDraining, silent: vm.Condition == state.VMSilent}
		l.probing.out = r.offer.Probe && vm.Condition == state.VMUnready // whoever said so
		if l.draining || l.silent {
			l.vm.Condition = state.VMReady
		}
		r.leases[vm.Instance] = l
	}
}

// Extend gives every lease its whole time from now: after nobody could renew.
func (t *Table) Extend(now time.Time) {
	for _, r := range t.rolls {
		for _, l := range r.leases {
			l.renewed = now
		}
	}
}

// VMs are the VMs of a Service as others are to see them, by instance.
func (t *Table) VMs(ref state.Ref) []state.VM {
	r := t.rolls[ref]
	if r == nil {
		return nil
	}
	vms := make([]state.VM, 0, len(r.leases))
	for _, name := range slices.Sorted(maps.Keys(r.leases)) {
		vms = append(vms, r.leases[name].standing())
	}
	return vms
}

// Braked says whether VMs of a Service are kept although their leases ran out.
func (t *Table) Braked(ref state.Ref) bool {
	r := t.rolls[ref]
	return r != nil && r.braked
}

// Count is how many VMs are registered, by how they stand.
func (t *Table) Count() map[state.VMCondition]int {
	n := map[state.VMCondition]int{}
	for _, r := range t.rolls {
		for _, l := range r.leases {
			n[l.standing().Condition]++
		}
	}
	return n
}

// Expire takes in that time passed, and names the Services whose VMs, or whose
// brake, changed, sorted.
func (t *Table) Expire(now time.Time) []state.Ref {
	var changed []state.Ref
	for ref, r := range t.rolls {
		if r.expire(now) {
			changed = append(changed, ref)
		}
	}
	slices.SortFunc(changed, state.Ref.Compare)
	return changed
}

func (r *roll) expire(now time.Time) (changed bool) {
	late := 0
	for _, l := range r.leases {
		if !now.Before(l.late()) {
			late++
		}
	}
	braked := late >= leastBrake && 3*late > len(r.leases)
	overdue := false
	for name, l := range r.leases {
		switch {
		case now.Before(l.until()):
		case braked:
			overdue = true
		case !now.Before(l.gone()):
			delete(r.leases, name)
			changed = true
		default:
			changed = changed || !l.silent
			l.silent = true
		}
	}
	if r.braked != overdue {
		r.braked, changed = overdue, true
	}
	return changed
}

// Verdict is what became of a message.
type Verdict struct {
	// Code is empty where it was accepted.
	Code    protocol.Code
	Message string
	// Changed says that the VMs of the Service changed.
	Changed bool
	Lease   time.Duration
}

// Apply does what a message asks, which a user of the broker has sent. belongs
// says whose an address is that no VM may have; "" for nobody's.
func (t *Table) Apply(m *protocol.Registration, user string, belongs Belongs, now time.Time) Verdict {
	ref, fault := checkNames(m)
	if fault != nil {
		return *fault
	}
	r := t.rolls[ref]
	if r == nil || r.offer == nil || user == "" || !mayRegister(r.offer, user) && r.leases[m.Instance] == nil {
		return refuse(protocol.Forbidden, "%s takes no registrations of user %q; they are allowed by landbridge.dev/vm-registry on the Service, and by the tenant's vmUsers and vmCIDRs", m.Service, user)
	}
	l := r.leases[m.Instance]
	switch {
	case l != nil && l.vm.User != user:
		return refuse(protocol.Conflict, "instance %s of %s is registered by another user", m.Instance, m.Service)
	case l != nil && l.vm.Boot == m.Boot && m.Seq <= l.seq:
		return refuse(protocol.Stale, "message %d of this boot came after message %d", m.Seq, l.seq)
	case l != nil && slices.Contains(l.former, m.Boot):
		return refuse(protocol.Stale, "instance %s of %s was registered by a later boot", m.Instance, m.Service)
	case m.Op == protocol.Register:
		return r.register(m, user, belongs, now)
	case l == nil || l.vm.Boot != m.Boot:
		return refuse(protocol.Unknown, "instance %s of %s is not registered by this boot: register it", m.Instance, m.Service)
	case m.Op == protocol.Heartbeat && !r.offer.Held && !r.serves(l.vm):
		return refuse(protocol.Unknown, "%s has other ports than those that instance %s registered: register it", m.Service, m.Instance)
	case m.Op == protocol.Leave:
		delete(r.leases, m.Instance)
		return Verdict{Changed: true}
	}
	before := l.standing()
	l.renew(m, now)
	l.draining = l.draining || m.Op == protocol.Drain
	return Verdict{Changed: !l.standing().Same(before), Lease: l.vm.Lease}
}

// serves says whether a VM has any of the Service's ports: those may have been
// renamed since.
func (r *roll) serves(vm state.VM) bool {
	return slices.ContainsFunc(vm.Ports, func(p state.RegistryPort) bool {
		return slices.ContainsFunc(r.offer.Ports, func(o state.RegistryPort) bool { return o.Name == p.Name && o.Protocol == p.Protocol })
	})
}

// renew takes in a message of a registered VM.
func (l *lease) renew(m *protocol.Registration, now time.Time) {
	l.seq, l.renewed, l.silent = m.Seq, now, false
	l.vm.Condition = state.VMReady
	if m.Ready != nil && !*m.Ready {
		l.vm.Condition = state.VMUnready
	}
}

// register begins a lease, or has it say something else.
func (r *roll) register(m *protocol.Registration, user string, belongs Belongs, now time.Time) Verdict {
	l := r.leases[m.Instance]
	vm, fault := r.check(m, user, l, belongs, now)
	if fault != nil {
		return *fault
	}
	var before state.VM
	if l != nil {
		before = l.standing()
	}
	next := &lease{vm: vm, probing: probed{out: r.offer.Probe && len(sockets(vm)) > 0}}
	if l != nil && slices.Equal(sockets(l.vm), sockets(vm)) {
		next.probing = l.probing
	}
	if l != nil {
		next.former = l.former
		if l.vm.Boot != m.Boot {
			next.former = append(slices.Clone(l.former), l.vm.Boot)
			next.former = next.former[max(0, len(next.former)-mostBoots):]
		}
	}
	next.renew(m, now)
	r.leases[m.Instance] = next
	changed := l == nil || !next.standing().Same(before)
	for name, other := range r.leases { // silent, else it had been in the way
		if name != m.Instance && overlaps(other.vm, vm) {
			delete(r.leases, name)
			changed = true
		}
	}
	return Verdict{Changed: changed, Lease: vm.Lease}
}

// Clear forgets all leases, and keeps what Services say.
func (t *Table) Clear() {
	for _, r := range t.rolls {
		clear(r.leases)
		r.braked = false
	}
}
