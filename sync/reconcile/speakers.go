package reconcile

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// Speaker is what one replica says of its BGP sessions.
type Speaker struct {
	Replica string `json:"replica"`
	// Said is when; a replica says so again within SpeakerSilence.
	Said     time.Time       `json:"said"`
	Sessions []state.Session `json:"sessions"`
}

// SpeakerSilence is after how long without a word a replica is taken for gone.
const SpeakerSilence = 3 * time.Minute

// announcements stand for the speaker in a View. What it announces is in its
// process alone; but every Service remembers what is announced for it.
type announcements struct{ set *state.Set }

func (v *View) announcements(inputs []translate.Input) announcements {
	set := state.NewSet()
	policy := translate.Policy{Config: acting(v.Config), Identity: v.Identity}
	for _, in := range inputs {
		for _, r := range translate.Announced(in, policy) {
			set.Put(r)
		}
	}
	for _, o := range v.networks.Want.Objects { // of these nothing is remembered: what is wanted is announced
		if r, ok := o.(*state.Route); ok {
			set.Put(r)
		}
	}
	return announcements{set}
}

// Name is the speaker's.
func (announcements) Name() string { return state.Speaker }

// Read gives what is announced.
func (a announcements) Read(context.Context, apply.Scope) (*state.Set, error) {
	return a.set.Clone(), nil
}

// Apply changes nothing: a View is looked at.
func (announcements) Apply(_ context.Context, units []apply.Unit) []apply.Outcome {
	return make([]apply.Outcome, len(units))
}

// RouteStatus is how one prefix of a Service stands.
type RouteStatus struct {
	Prefix string `json:"prefix"`
	// Announced says whether the controller says that it is.
	Announced bool `json:"announced"`
	// NextHops are all that lead to it; without any nothing is announced.
	NextHops []NextHopStatus `json:"nextHops"`
	Peers    []RoutePeer     `json:"peers"`
}

// NextHopStatus is one next hop, and why it is one.
type NextHopStatus struct {
	Address string `json:"address"`
	Because string `json:"because"`
}

// RoutePeer is what one router is told of a prefix.
type RoutePeer struct {
	Peer string `json:"peer"`
	// Up says whether a session with it is established.
	Up bool `json:"up"`
	// NextHops are how many it is told of. With One it takes no more than
	// one, although there are several: Carrier carries the prefix alone.
	NextHops int    `json:"nextHops"`
	One      bool   `json:"one,omitempty"`
	Carrier  string `json:"carrier,omitempty"`
	// Why says why it is told of nothing.
	Why string `json:"why,omitempty"`
}

// routes are those that a Service wants by now.
func (v *View) routes(seen seenService, announced bool) []RouteStatus {
	routes := []RouteStatus{}
	for _, o := range seen.result.Want.Objects {
		r, ok := o.(*state.Route)
		if !ok {
			continue
		}
		s := RouteStatus{Prefix: r.Prefix.String(), Announced: announced && len(r.NextHops) > 0, NextHops: []NextHopStatus{}, Peers: []RoutePeer{}}
		for _, h := range r.NextHops {
			s.NextHops = append(s.NextHops, NextHopStatus{Address: h.Address.String(), Because: h.Via})
		}
		for _, name := range r.Peers {
			s.Peers = append(s.Peers, v.told(r, name))
		}
		routes = append(routes, s)
	}
	return routes
}

// told is what a router is told of a route.
func (v *View) told(r *state.Route, peer string) RoutePeer {
	to := RoutePeer{Peer: peer}
	session, known := v.session(peer)
	version := map[bool]int{true: 4, false: 6}[r.Prefix.Addr().Is4()]
	takes, several := session.Takes(version)
	switch {
	case !known && v.Mute != "":
		to.Why = "its session is not known"
		return to
	case !known:
		to.Why = "no replica has a session with it"
		return to
	case session.State != state.Established:
		to.Why = "the session is not up"
		if session.Why != "" {
			to.Why += ": " + session.Why
		}
		return to
	case !takes:
		to.Up, to.Why = true, fmt.Sprintf("it takes no routes of IPv%d", version)
		return to
	}
	most := 1
	if p, configured := v.Config.Peer(peer); configured && several {
		most = max(1, p.AddPaths)
	}
	best := r.Best(most)
	to.Up, to.NextHops = true, len(best)
	if len(best) == 1 && len(r.NextHops) > 1 {
		to.One, to.Carrier = true, best[0].Address.String()+" ("+best[0].Via+")"
	}
	return to
}

// session is that with a peer, of several replicas one that is up.
func (v *View) session(peer string) (found state.Session, known bool) {
	for _, speaker := range v.Speakers {
		for _, s := range speaker.Sessions {
			if s.Peer == peer && (!known || s.State == state.Established) {
				found, known = s, true
			}
		}
	}
	return found, known
}

// words writes what a router is told.
func (p RoutePeer) words() string {
	switch {
	case p.Why != "":
		return "nothing by now: " + p.Why
	case p.One:
		return "one node carries it: " + p.Carrier + ", because the peer takes one next hop of a prefix, or addPaths in the configuration allows no more"
	case p.NextHops == 1:
		return "1 next hop"
	}
	return fmt.Sprintf("%d next hops", p.NextHops)
}

// routeWords writes a Service's routes.
func (s ServiceStatus) routeWords(w io.Writer) {
	for _, r := range s.Routes {
		state := "announced"
		switch {
		case len(r.NextHops) == 0:
			state = "not announced: nothing leads to it now"
		case !r.Announced:
			state = "not announced yet"
		}
		fmt.Fprintf(w, "  route %s\t%s\n", r.Prefix, state)
		for _, h := range r.NextHops {
			fmt.Fprintf(w, "    via %s\t%s\n", h.Address, h.Because)
		}
		for _, p := range r.Peers {
			fmt.Fprintf(w, "    to %s\t%s\n", p.Peer, p.words())
		}
	}
}

// reach sums up a Service's routes: prefixes that are announced of all.
func (s ServiceStatus) reach() string {
	if len(s.Routes) == 0 {
		return "-"
	}
	there := 0
	for _, r := range s.Routes {
		if r.Announced {
			there++
		}
	}
	return fmt.Sprintf("%d/%d", there, len(s.Routes))
}

// sessionTable writes a line for each session; nothing without any.
func (s *Status) sessionTable(w io.Writer) {
	if !slices.ContainsFunc(s.Speakers, func(p Speaker) bool { return len(p.Sessions) > 0 }) {
		return
	}
	fmt.Fprintln(w, "\nPEER\tADDRESS\tAS\tSESSION\tSINCE\tROUTES\tTAKES\tREPLICA\tWHY")
	for _, speaker := range s.Speakers {
		for _, n := range speaker.Sessions {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\t%s\n",
				n.Peer, n.Address, n.ASN, n.State, n.Since.UTC().Format(time.RFC3339), n.Routes, takes(n), speaker.Replica, dash(n.Why))
		}
	}
}

// takes says what a router takes: "ipv4 (several next hops), ipv6".
func takes(n state.Session) string {
	families := slices.Clone(n.Families)
	for i := range families {
		if i < len(n.AddPaths) && n.AddPaths[i] {
			families[i] += " (several next hops)"
		}
	}
	return dash(strings.Join(families, ", "))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
