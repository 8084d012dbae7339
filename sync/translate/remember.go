package translate

import (
	"encoding/json"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// remembered is one route in the annotation last-good: all of it but its next
// hops, which follow what they are of also while the rest is held, and which
// would otherwise be written with every node that comes or goes.
type remembered struct {
	Prefix netip.Prefix `json:"prefix"`
	// Via is "nodes", "local" (nodes with an endpoint), or a BIG-IP's name.
	Via string `json:"via"`
	// After are the virtual servers that it leads to.
	After           []string `json:"after,omitempty"`
	Peers           []string `json:"peers"`
	Communities     []string `json:"communities,omitempty"`
	LocalPreference *uint32  `json:"localPreference,omitempty"`
	MED             *uint32  `json:"med,omitempty"`
	Prepend         int      `json:"prepend,omitempty"`
}

const (
	viaNodes = "nodes"
	viaLocal = "local"
)

// routesKey is where the routes stand in last-good, among the annotations of
// the part.
const routesKey = "routes"

// LastGoodRoutes is what a Service remembers of its routes; empty for nothing.
func LastGoodRoutes(svc *corev1.Service) string { return LastGood(svc, annotation.BGP)[routesKey] }

// WithLastGoodRoutes is the value that AnnotationLastGood should have when the
// Service is to remember these routes.
func WithLastGoodRoutes(svc *corev1.Service, routes string) string {
	if routes == "" {
		return WithLastGood(svc, annotation.BGP, nil)
	}
	return WithLastGood(svc, annotation.BGP, map[string]string{routesKey: routes})
}

// remember writes routes for last-good; nothing for none.
func (t *translation) remember(routes []*state.Route) string {
	if len(routes) == 0 {
		return ""
	}
	all := make([]remembered, 0, len(routes))
	for _, r := range routes {
		m := remembered{
			Prefix: r.Prefix, Via: viaNodes, Peers: r.Peers, Communities: r.Communities,
			LocalPreference: r.LocalPreference, MED: r.MED, Prepend: r.Prepend,
		}
		if t.local() {
			m.Via = viaLocal
		}
		for _, id := range r.Follows {
			m.Via = deviceOf(id.Backend)
			m.After = append(m.After, id.Name)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b remembered) int { return a.Prefix.Compare(b.Prefix) })
	text, err := json.Marshal(all)
	if err != nil {
		return "" // of such values it cannot fail
	}
	return string(text)
}

// recall reads last-good. What cannot be read is nothing: somebody else wrote
// there.
func (t *translation) recall() []remembered {
	var all []remembered
	if json.Unmarshal([]byte(LastGoodRoutes(t.Service)), &all) != nil {
		return nil
	}
	return slices.DeleteFunc(all, func(m remembered) bool { return !m.Prefix.IsValid() })
}

// ConditionBGP is the condition that says whether a Service's routes are
// announced.
const ConditionBGP = Prefix + "BGP"

// stood says whether the route to a prefix is known to have been announced. What
// is remembered was written before that; one that leads to virtual servers had
// to wait for them, and only the condition tells that it did not wait in vain.
func (t *translation) stood(p netip.Prefix) bool {
	return slices.ContainsFunc(t.recall(), func(m remembered) bool {
		return m.Prefix == p && (len(m.After) == 0 || meta.IsStatusConditionTrue(t.Service.Status.Conditions, ConditionBGP))
	})
}

// lastGood are the routes as they were announced before, with the next hops of
// now, and what is remembered of them, unchanged.
func (t *translation) lastGood() ([]state.Object, string) {
	var objects []state.Object
	if t.Config.BGP == nil {
		return nil, LastGoodRoutes(t.Service)
	}
	for _, m := range t.recall() {
		r := &state.Route{
			Backend: state.Speaker, Prefix: m.Prefix, Owner: t.Identity.Owner(t.ref), Peers: m.Peers, Communities: m.Communities,
			LocalPreference: m.LocalPreference, MED: m.MED, Prepend: m.Prepend, Stood: t.stood(m.Prefix),
		}
		switch m.Via {
		case viaNodes, viaLocal:
			r.NextHops = t.nodeHops(m.Prefix.Addr().Is6(), m.Via == viaLocal, false)
		default:
			device, _ := t.Config.Device(m.Via)
			r.NextHops = t.deviceHops(device, m.Prefix.Addr().Is6())
			for _, path := range m.After {
				r.Follows = append(r.Follows, state.ID{Backend: BackendOf(m.Via), Kind: state.KindVirtualServer, Name: path})
			}
		}
		objects = append(objects, r)
	}
	return objects, LastGoodRoutes(t.Service)
}

// Announced are the routes that are announced for a Service by now, as it
// remembers them: with the next hops that they have by the nodes of now, which
// routes follow at once. It may be asked of any Service.
func Announced(in Input, p Policy) []*state.Route {
	t := &translation{Input: in, Policy: p, ref: in.Ref()}
	objects, _ := t.lastGood()
	var routes []*state.Route
	for _, o := range objects {
		if r := o.(*state.Route); r.Stood {
			routes = append(routes, r)
		}
	}
	return routes
}
