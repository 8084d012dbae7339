package registry

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"landbridge.dev/sync/state"
)

const (
	// probeEvery is how often a VM is probed, and probeAgain after a failure that
	// is not believed yet.
	probeEvery = 5 * time.Second
	probeAgain = time.Second
	// probeTime bounds the answer.
	probeTime = 2 * time.Second
	// probeFall is after how many failures, one after the other, a VM is found
	// not to serve. One success finds that it does.
	probeFall = 3
	// probesAtOnce is how many are under way.
	probesAtOnce = 64
)

// probed is what our own probes found of a VM, where its Service has its VMs
// probed (vm-probe): clients come while it renews and answers.
type probed struct {
	out      bool // not found to answer, or not asked yet
	failures int
	last     time.Time // when it was asked last
}

// due is when a VM is to be asked.
func (p probed) due() time.Time {
	if p.failures > 0 && p.failures < probeFall {
		return p.last.Add(probeAgain)
	}
	return p.last.Add(probeEvery)
}

// Probe is one VM to be probed: whether each of the addresses takes connections.
type Probe struct {
	Service  state.Ref
	Instance string
	At       []netip.AddrPort
	boot     string
}

// Probes are those that are due by now, which counts as asked then. VMs that
// serve no TCP are not probed.
func (t *Table) Probes(now time.Time) []Probe {
	var due []Probe
	for ref, r := range t.rolls {
		if r.offer == nil || !r.offer.Probe {
			continue
		}
		for name, l := range r.leases {
			if now.Before(l.probing.due()) {
				continue
			}
			l.probing.last = now
			due = append(due, Probe{ref, name, sockets(l.vm), l.vm.Boot})
		}
	}
	slices.SortFunc(due, func(a, b Probe) int {
		return cmp.Or(a.Service.Compare(b.Service), strings.Compare(a.Instance, b.Instance))
	})
	return due
}

// sockets are where a VM takes connections.
func sockets(vm state.VM) []netip.AddrPort {
	var all []netip.AddrPort
	for _, a := range vm.Addresses {
		for _, p := range vm.Ports {
			if p.Protocol == state.TCP {
				all = append(all, netip.AddrPortFrom(a, p.Number))
			}
		}
	}
	return all
}

// Probed takes in what a probe found, and says whether that changed how the VM
// is to be seen. Where a third of a Service's VMs, and at least three, do not
// answer, or none would be left, those that took clients go on: it is more likely
// that we do not reach them.
func (t *Table) Probed(p Probe, answers bool) (changed bool) {
	r := t.rolls[p.Service]
	if r == nil || r.leases[p.Instance] == nil || r.leases[p.Instance].vm.Boot != p.boot {
		return false // it is another's by now
	}
	l := r.leases[p.Instance]
	before := l.standing()
	if answers {
		l.probing.failures, l.probing.out = 0, false
		return !l.standing().Same(before)
	}
	l.probing.failures++
	failing := 0
	for _, o := range r.leases {
		if o.probing.out || o.probing.failures > 0 {
			failing++
		}
	}
	if l.probing.failures >= probeFall && failing < len(r.leases) && (failing < leastBrake || 3*failing <= len(r.leases)) {
		l.probing.out = true
	}
	return !l.standing().Same(before)
}

// look probes VMs until ctx ends.
func (s *Server) look(ctx context.Context) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		s.mu.Lock()
		due := s.table.Probes(time.Now())
		s.mu.Unlock()
		s.probeAll(ctx, due)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// probeAll probes VMs, some at a time, and waits for all.
func (s *Server) probeAll(ctx context.Context, due []Probe) {
	var probing sync.WaitGroup
	free := make(chan struct{}, probesAtOnce)
	for _, p := range due {
		free <- struct{}{}
		probing.Go(func() {
			answers := p.answers(ctx)
			<-free
			if ctx.Err() != nil {
				return // nobody waited for the answer
			}
			s.mu.Lock()
			changed := s.table.Probed(p, answers)
			s.mu.Unlock()
			if changed {
				s.Changed(p.Service)
			}
		})
	}
	probing.Wait()
}

// answers says whether all of the VM's addresses take a connection.
func (p Probe) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	for _, at := range p.At {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.String())
		if err != nil {
			return false
		}
		_ = c.Close() // it was let in
	}
	return true
}
