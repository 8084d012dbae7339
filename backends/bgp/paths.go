package bgp

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	api "github.com/osrg/gobgp/v3/api"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// phase is where a session is on its way out.
type phase uint8

const (
	asleep phase = iota // there is no server yet
	talking
	farewell // all is announced as about to go
	silence  // all is withdrawn
	ended    // nothing is changed any more
)

// entry is what the server's table holds of one prefix.
type entry struct {
	attributes attributes
	slots      []slot // by id
}

// slot is one path. GoBGP knows it by prefix and id; another next hop in the
// same slot takes the place of the one before, in one UPDATE.
type slot struct {
	id  uint32 // from 1
	hop netip.Addr
}

// attributes are what all paths of a prefix have in common. They are
// comparable.
type attributes struct {
	communities     string // joined by spaces
	localPreference uint32
	med             uint32
	hasMED          bool
	prepend         int
	leaving         bool
}

// announcement is what a peer is to be told of a prefix.
type announcement struct {
	attributes
	hops    []netip.Addr // none: nothing
	carrier netip.Addr   // of these the one that counts where the peer takes one
}

// defaultLocalPreference is that of RFC 4271's implementations.
const defaultLocalPreference = 100

// wants is what the peer is to be told of a prefix by now.
func (n *session) wants(p netip.Prefix) announcement {
	if n.phase == silence {
		return announcement{}
	}
	n.speaker.mu.Lock()
	r, leaving := n.speaker.table.speaks(p)
	n.speaker.mu.Unlock()
	if r == nil || !slices.Contains(r.Peers, n.peer().Name) {
		return announcement{}
	}
	a := announcement{attributes: attributes{
		communities: strings.Join(r.Communities, " "), prepend: r.Prepend, localPreference: defaultLocalPreference,
		leaving: leaving || n.phase == farewell,
	}}
	if r.LocalPreference != nil {
		a.localPreference = *r.LocalPreference
	}
	if r.MED != nil {
		a.med, a.hasMED = *r.MED, true
	}
	most := 1
	if n.several[family(p)] {
		most = max(1, n.peer().AddPaths)
	}
	for _, h := range r.Best(most) {
		a.hops = append(a.hops, h.Address)
	}
	if best := r.Best(1); len(best) == 1 {
		a.carrier = best[0].Address
	}
	return a
}

// family is 0 for IPv4 and 1 for IPv6.
func family(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 0
	}
	return 1
}

// sync brings the server to what the peer is to be told of a prefix.
func (n *session) sync(p netip.Prefix) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bring(p)
}

// enter goes on to a phase, brings all that the peer has been told to it, and
// returns how many changes that took.
func (n *session) enter(next phase) (changes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.phase = next
	prefixes := make([]netip.Prefix, 0, len(n.has))
	for p := range n.has {
		prefixes = append(prefixes, p)
	}
	for _, p := range prefixes {
		changes += n.bring(p)
	}
	return changes
}

// resync brings all prefixes of the table to what the peer is to be told, after
// what it takes has changed. n.mu is held.
func (n *session) resync() {
	for _, p := range n.speaker.prefixes() {
		n.bring(p)
	}
}

// bring makes the server's table hold what the peer is to be told of a prefix,
// in as few changes as there can be, and none where nothing differs: a peer
// with add-path is sent again what is added again. n.mu is held.
func (n *session) bring(p netip.Prefix) (changes int) {
	if n.phase == asleep || n.phase == ended {
		return 0
	}
	want, have := n.wants(p), n.has[p]
	kept, free := split(have.slots, want.hops)
	next := entry{attributes: want.attributes}
	for _, s := range kept {
		if have.attributes != want.attributes {
			n.add(p, s, want)
			changes++
		}
		next.slots = append(next.slots, s)
	}
	for _, hop := range want.hops {
		if slices.ContainsFunc(kept, func(s slot) bool { return s.hop == hop }) {
			continue
		}
		var s slot
		if len(free) > 0 {
			s, free = slot{id: free[0].id, hop: hop}, free[1:]
		} else {
			s = slot{id: unused(next.slots), hop: hop}
		}
		n.add(p, s, want)
		changes++
		next.slots = append(next.slots, s)
	}
	for _, s := range free {
		n.remove(p, s)
		changes++
	}
	if len(next.slots) == 0 {
		if len(have.slots) > 0 {
			n.spent[p] = struct{}{}
		}
		delete(n.has, p)
	} else {
		n.has[p] = next
		delete(n.spent, p)
	}
	n.speaker.Metrics.tells(n.peer().Name, len(n.has))
	return changes
}

// split parts the slots into those whose next hop is wanted, and those that
// are free for another.
func split(slots []slot, hops []netip.Addr) (kept, free []slot) {
	for _, s := range slots {
		if slices.Contains(hops, s.hop) {
			kept = append(kept, s)
		} else {
			free = append(free, s)
		}
	}
	return kept, free
}

// unused is the lowest id that no slot has.
func unused(slots []slot) uint32 {
	for id := uint32(1); ; id++ {
		if !slices.ContainsFunc(slots, func(s slot) bool { return s.id == id }) {
			return id
		}
	}
}

func (n *session) add(p netip.Prefix, s slot, want announcement) {
	_, err := n.server.AddPath(context.Background(), &api.AddPathRequest{
		TableType: api.TableType_GLOBAL, Path: n.path(p, s, want),
	})
	if err != nil { // what it refuses is refused before: see table.admits
		n.log.Error("announcing", zap.Stringer("prefix", p), zap.Stringer("nextHop", s.hop), zap.Error(err))
		return
	}
	n.speaker.Metrics.announced(n.peer().Name)
}

// remove takes one path away. It is named in full: a DeletePath without a path
// takes everything (v3.37.0 server.go DeletePath).
func (n *session) remove(p netip.Prefix, s slot) {
	err := n.server.DeletePath(context.Background(), &api.DeletePathRequest{
		TableType: api.TableType_GLOBAL, Family: familyOf(p),
		Path: &api.Path{Family: familyOf(p), Nlri: nlri(p), Identifier: s.id, IsWithdraw: true},
	})
	if err != nil {
		n.log.Error("withdrawing", zap.Stringer("prefix", p), zap.Stringer("nextHop", s.hop), zap.Error(err))
		return
	}
	n.speaker.Metrics.withdrawn(n.peer().Name)
}

// path is one path in GoBGP's words.
func (n *session) path(p netip.Prefix, s slot, want announcement) *api.Path {
	attrs := []*anypb.Any{pack(&api.OriginAttribute{Origin: 0})} // IGP
	if p.Addr().Is4() {
		attrs = append(attrs, pack(&api.NextHopAttribute{NextHop: s.hop.String()}))
	} else {
		attrs = append(attrs, pack(&api.MpReachNLRIAttribute{
			Family: ipv6(), NextHops: []string{s.hop.String()}, Nlris: []*anypb.Any{nlri(p)},
		}))
	}
	if want.prepend > 0 { // GoBGP itself puts our number before it once for eBGP
		asn := n.speaker.settings().ASN
		attrs = append(attrs, pack(&api.AsPathAttribute{Segments: []*api.AsSegment{
			{Type: api.AsSegment_AS_SEQUENCE, Numbers: slices.Repeat([]uint32{asn}, want.prepend)},
		}}))
	}
	if want.hasMED {
		attrs = append(attrs, pack(&api.MultiExitDiscAttribute{Med: want.med}))
	}
	attrs = append(attrs, pack(&api.LocalPrefAttribute{LocalPref: n.preference(s, want)}))
	standard, large := communities(want.communities)
	if want.leaving {
		standard = append(standard, gracefulShutdown)
	}
	if len(standard) > 0 {
		attrs = append(attrs, pack(&api.CommunitiesAttribute{Communities: standard}))
	}
	if len(large) > 0 {
		attrs = append(attrs, pack(&api.LargeCommunitiesAttribute{Communities: large}))
	}
	return &api.Path{Family: familyOf(p), Nlri: nlri(p), Pattrs: attrs, Identifier: s.id}
}

// preference is the path's local preference. A peer of another system never
// sees it (RFC 4271 section 5.1.5); there it makes GoBGP choose the next hop
// that is to carry the prefix, should the peer turn out to take only one: its
// own choice among paths of one second is the last that came.
func (n *session) preference(s slot, want announcement) uint32 {
	switch {
	case want.leaving && n.ibgp:
		return 0 // RFC 8326 section 4.2
	case !n.ibgp && s.hop == want.carrier:
		return defaultLocalPreference + 100
	case !n.ibgp:
		return defaultLocalPreference
	}
	return want.localPreference
}

// Well-known communities.
const (
	gracefulShutdown = 0xFFFF0000 // RFC 8326
	blackhole        = 0xFFFF029A // RFC 7999
	noExport         = 0xFFFFFF01 // RFC 1997
	noAdvertise      = 0xFFFFFF02
)

// communities reads what annotation.ParseCommunity wrote, joined by spaces.
func communities(joined string) (standard []uint32, large []*api.LargeCommunity) {
	for word := range strings.FieldsSeq(joined) {
		switch word {
		case "no-export":
			standard = append(standard, noExport)
			continue
		case "no-advertise":
			standard = append(standard, noAdvertise)
			continue
		case "blackhole":
			standard = append(standard, blackhole)
			continue
		}
		var numbers []uint32
		for part := range strings.SplitSeq(word, ":") {
			v, _ := strconv.ParseUint(part, 10, 32) // it was validated
			numbers = append(numbers, uint32(v))
		}
		if len(numbers) == 3 {
			large = append(large, &api.LargeCommunity{GlobalAdmin: numbers[0], LocalData1: numbers[1], LocalData2: numbers[2]})
		} else {
			standard = append(standard, numbers[0]<<16|numbers[1])
		}
	}
	return standard, large
}

func ipv4() *api.Family { return &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST} }
func ipv6() *api.Family { return &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST} }

func familyOf(p netip.Prefix) *api.Family {
	if p.Addr().Is4() {
		return ipv4()
	}
	return ipv6()
}

func nlri(p netip.Prefix) *anypb.Any {
	return pack(&api.IPAddressPrefix{Prefix: p.Addr().String(), PrefixLen: uint32(p.Bits())})
}

// pack wraps a message. It can fail for what is no message alone.
func pack(m proto.Message) *anypb.Any {
	packed, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return packed
}
