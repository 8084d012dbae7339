package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// ShareStatus is how a pool with two sides divides new connections: the part of
// its pods, in per cent.
type ShareStatus struct {
	// Asked is what the Service asks for; absent where it does not say, and
	// nothing else does.
	Asked *int `json:"asked,omitempty"`
	// Ratios is what the members' ratios make of it as they stand, whatever
	// monitors find; absent where nobody takes clients.
	Ratios *float64 `json:"ratios,omitempty"`
	// Measured is what the device counted in new connections while it was
	// looked at; absent where it was not, or there was none.
	Measured *float64 `json:"measured,omitempty"`
}

// side is whose member one is.
type side uint8

const (
	elsewhere side = iota // of another cluster
	podSide
	vmSide
)

// String writes "pod", "vm" or "other".
func (s side) String() string {
	switch s {
	case podSide:
		return "pod"
	case vmSide:
		return "vm"
	case elsewhere:
	}
	return "other"
}

func (v *View) side(m state.Member) side {
	switch {
	case m.Owner.IsZero(), m.VM && v.Identity.Owns(m.Owner):
		return vmSide
	case v.Identity.Owns(m.Owner):
		return podSide
	}
	return elsewhere
}

// twoSided says whether pods and VMs are in a pool.
func (v *View) twoSided(p *state.Pool) bool {
	has := map[side]bool{}
	for _, m := range p.Members {
		has[v.side(m)] = true
	}
	return has[podSide] && has[vmSide]
}

// shareOf is how a pool divides connections; nil where it has no two sides.
func (v *View) shareOf(seen seenService, p *state.Pool) *ShareStatus {
	if !v.twoSided(p) {
		return nil
	}
	s := &ShareStatus{Asked: v.askedShare(seen, p), Ratios: v.standingShare(p)}
	if measured, ok := v.measured[p.ID()]; ok {
		s.Measured = &measured
	}
	return s
}

// askedShare is the share that holds for a pool. Where the Service does not say
// it is 0, unless pods served before there were VMs; where what it says is no
// share, nobody knows.
func (v *View) askedShare(seen seenService, p *state.Pool) *int {
	wanted := v.wantedPool(seen, p)
	if wanted == nil {
		return nil
	}
	percent := 0
	if wanted.Share.Given {
		percent = wanted.Share.Percent
	} else if saysShare(seen.service) || wanted.Use == state.Own && !slices.ContainsFunc(p.Members, func(m state.Member) bool { return m.VM && v.Identity.Owns(m.Owner) }) {
		return nil
	}
	return &percent
}

// saysShare says whether a share is written, be it for one port.
func saysShare(svc *corev1.Service) bool {
	for written := range svc.Annotations {
		if name, _, _, ok := annotation.Read(written); ok && name == "pod-share" {
			return true
		}
	}
	return false
}

// wantedPool is a standing pool as the Service wants it, which has an adopted
// one under its virtual server's name.
func (v *View) wantedPool(seen seenService, p *state.Pool) *state.Pool {
	for _, o := range seen.result.Want.Objects {
		w, ok := o.(*state.Pool)
		if !ok || w.Backend != p.Backend {
			continue
		}
		path := w.Path
		if w.Use == state.Adopted {
			have, _ := v.have[p.Backend].Get(state.ID{Backend: p.Backend, Kind: state.KindVirtualServer, Name: w.Path})
			if vs, ok := have.(*state.VirtualServer); ok {
				path = vs.Pool
			}
		}
		if path == p.Path {
			return w
		}
	}
	return nil
}

// standingShare is what the weights of those members come to that take clients:
// with priority groups, those of the highest that has as many as it needs.
func (v *View) standingShare(p *state.Pool) *float64 {
	var serving []state.Member
	for _, m := range p.Members {
		if m.Admin == state.Enabled && !m.Drain.Set() {
			serving = append(serving, m)
		}
	}
	if p.MinActive > 0 {
		serving = highestGroups(serving, p.MinActive)
	}
	byRatio := plan.LooksAtRatios(p.Mode)
	var weights [3]int
	for _, m := range serving {
		weight := 1
		if byRatio {
			weight = m.Ratio
		}
		weights[v.side(m)] += weight
	}
	return part(weights[podSide], weights[vmSide])
}

// highestGroups are the members of the highest priority groups that together
// have enough: the lower ones stand by.
func highestGroups(members []state.Member, enough int) []state.Member {
	slices.SortStableFunc(members, func(a, b state.Member) int { return b.Priority - a.Priority })
	for i := range members {
		last := i+1 == len(members) || members[i+1].Priority != members[i].Priority
		if last && i+1 >= enough {
			return members[:i+1]
		}
	}
	return members
}

// part is what pods have of both, in per cent; nil for nothing of nothing.
func part(pods, vms int) *float64 {
	if pods+vms == 0 {
		return nil
	}
	percent := 100 * float64(pods) / float64(pods+vms)
	return &percent
}

// measure counts for a while what comes to the members of the pools with two
// sides. What cannot be counted is not known.
func (v *View) measure(ctx context.Context) error {
	v.measured = map[state.ID]float64{}
	before := v.totals(ctx)
	if len(before) == 0 {
		return nil
	}
	select {
	case <-time.After(v.Measure):
	case <-ctx.Done():
		return fmt.Errorf("measuring: %w", context.Cause(ctx))
	}
	for id, now := range v.totals(ctx) {
		then, ok := before[id]
		if !ok {
			continue
		}
		if percent, ok := v.came(id, then, now); ok {
			v.measured[id] = percent
		}
	}
	return nil
}

// came is the pods' part of the connections between two counts. A counter that
// went back was begun anew, and tells nothing.
func (v *View) came(id state.ID, then, now map[state.Endpoint]int) (percent float64, known bool) {
	pool, _ := v.have[id.Backend].Pool(id.Backend, id.Name)
	var came [3]int
	for _, m := range pool.Members {
		before, counted := then[m.Endpoint]
		after, still := now[m.Endpoint]
		if !counted || !still || after < before {
			return 0, false
		}
		came[v.side(m)] += after - before
	}
	p := part(came[podSide], came[vmSide])
	if p == nil {
		return 0, false
	}
	return *p, true
}

// totals are the connections that members have had, by pool.
func (v *View) totals(ctx context.Context) map[state.ID]map[state.Endpoint]int {
	totals := map[state.ID]map[state.Endpoint]int{}
	for _, b := range v.Backends {
		counter, can := b.Backend.(apply.Counter)
		have := v.have[b.Name()]
		if !can || have == nil {
			continue
		}
		for _, id := range v.toMeasure(have) {
			counts, err := counter.Count(ctx, id)
			if err != nil {
				continue
			}
			totals[id] = map[state.Endpoint]int{}
			for _, c := range counts {
				totals[id][c.Endpoint] = c.Total
			}
		}
	}
	return totals
}

// toMeasure are the pools with two sides of the Services that are measured.
func (v *View) toMeasure(have *state.Set) []state.ID {
	var ids []state.ID
	for _, ref := range have.Owners() {
		if v.MeasureOf != (state.Ref{}) && ref != v.MeasureOf || v.Live != nil && !v.Live(ref) {
			continue
		}
		for _, id := range have.Owned(ref) {
			p, ok := have.Pool(id.Backend, id.Name)
			if ok && id.Kind == state.KindPool && v.twoSided(p) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// words writes "asked/as the ratios stand/measured", with "-" for what is not
// known; without the last where nothing was measured.
func (s *ShareStatus) words() string {
	asked, ratios := "-", "-"
	if s.Asked != nil {
		asked = strconv.Itoa(*s.Asked)
	}
	if s.Ratios != nil {
		ratios = percent(*s.Ratios)
	}
	words := asked + "/" + ratios
	if s.Measured != nil {
		words += "/" + percent(*s.Measured)
	}
	return words
}

// sentence says the same to a person.
func (s *ShareStatus) sentence() string {
	asked, ratios, measured := "nothing", "nobody takes clients", ""
	if s.Asked != nil {
		asked = strconv.Itoa(*s.Asked) + "%"
	}
	if s.Ratios != nil {
		ratios = "the members' ratios give " + percent(*s.Ratios) + "%"
	}
	if s.Measured != nil {
		measured = ", and " + percent(*s.Measured) + "% were measured"
	}
	return "to pods: asked for is " + asked + ", " + ratios + measured
}

// percent is rounded to a tenth, and a whole number has none.
func percent(f float64) string {
	return strconv.FormatFloat(float64(int(f*10+0.5))/10, 'f', -1, 64)
}
