package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	defaultBGPPort = 179
	defaultRoutes  = 10000
	leastHold      = 3 * time.Second // RFC 4271 section 4.2
	mostHold       = 65535 * time.Second
	mostRetry      = time.Hour
	mostRestart    = 4095 * time.Second // RFC 4724 section 3: 12 bits
	mostShutdown   = time.Minute
	mostAddPaths   = 255
)

// reservedASNs are numbers that nobody may use (RFC 7607, RFC 4893, RFC 7300).
func reservedASNs() []uint32 { return []uint32{0, 23456, 65535, 4294967295} }

func (k *checker) bgp(c *Config) {
	b := c.BGP
	if b == nil {
		return
	}
	k.asn("bgp.asn", b.ASN)
	if id, err := netip.ParseAddr(b.RouterID); b.RouterID != "" && (err != nil || !id.Is4() || id.IsUnspecified()) {
		k.bad("bgp.routerID", "%q must be an IPv4 address, or empty for each replica's own", b.RouterID)
	}
	switch {
	case b.Speakers != SpeakersLeader && b.Speakers != SpeakersAll:
		k.bad("bgp.speakers", "%q must be leader or all", b.Speakers)
	case b.Speakers == SpeakersAll && b.RouterID != "":
		k.bad("bgp.routerID", "must be empty with speakers: all, since two speakers must not share one")
	}
	if b.Peers == nil {
		k.bad("bgp.peers", "is missing; name the routers, or write [] for none, which withdraws all")
	}
	if *b.MaxRoutes < 0 {
		k.bad("bgp.maxRoutes", "%d must be at least 0", *b.MaxRoutes)
	}
	if b.Shutdown() > mostShutdown {
		k.bad("bgp.gracefulShutdown", "must be at most %s", mostShutdown)
	}
	k.podNetworks(c)
	for i := range b.Peers {
		k.peer(fmt.Sprintf("bgp.peers[%d]", i), b, i)
	}
}

func (k *checker) podNetworks(c *Config) {
	n := c.BGP.PodNetworks
	if !slices.Contains([]string{PodNetworksNone, PodNetworksNode, PodNetworksCalico, PodNetworksCilium}, n.Source) {
		k.bad("bgp.podNetworks.source", "%q must be none, node, calico or cilium", n.Source)
	}
	if n.As != PodNetworksAsBGP && n.As != PodNetworksAsStatic {
		k.bad("bgp.podNetworks.as", "%q must be bgp or bigip-static-routes", n.As)
	}
	if n.As == PodNetworksAsStatic && n.Source != PodNetworksNone && len(c.BIGIP) == 0 {
		k.bad("bgp.podNetworks.as", "bigip-static-routes needs a BIG-IP in the section bigip")
	}
	if n.As == PodNetworksAsStatic && len(n.Peers) > 0 {
		k.bad("bgp.podNetworks.peers", "has no meaning with as: bigip-static-routes")
	}
	for i, name := range n.Peers {
		if _, known := c.Peer(name); !known {
			k.bad(fmt.Sprintf("bgp.podNetworks.peers[%d]", i), "there is no BGP peer named %q", name)
		}
	}
}

func (k *checker) asn(path string, n uint32) {
	if slices.Contains(reservedASNs(), n) {
		k.bad(path, "%d is no number of an autonomous system", n)
	}
}

// unicast wants an address that a host can have.
func (k *checker) unicast(path, address string) netip.Addr {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		k.bad(path, "%q must be the IP address of a host", address)
		return netip.Addr{}
	}
	return a
}

func (k *checker) peer(path string, b *BGP, i int) {
	p := b.Peers[i]
	if !label.MatchString(p.Name) {
		k.bad(path+".name", "%q must be a DNS label", p.Name)
	}
	address := k.unicast(path+".address", p.Address)
	for _, q := range b.Peers[:i] {
		if q.Name == p.Name {
			k.bad(path+".name", "%q is there twice", p.Name)
		}
		if other, err := netip.ParseAddr(q.Address); err == nil && other == address {
			k.bad(path+".address", "%s is that of peer %s as well; a router has one session", p.Address, q.Name)
		}
		if p.Passive && q.Passive && p.LocalAddress == q.LocalAddress && p.ListenPort == q.ListenPort {
			k.bad(path+".listenPort", "peer %s is waited for at the same address and port; give one of them another localAddress or listenPort", q.Name)
		}
	}
	k.asn(path+".asn", p.ASN)
	if p.LocalAddress != "" {
		if local := k.unicast(path+".localAddress", p.LocalAddress); local.IsValid() && address.IsValid() && local.Is4() != address.Is4() {
			k.bad(path+".localAddress", "%s is of another family than the peer's address", p.LocalAddress)
		}
	}
	if p.ListenPort != 0 && !p.Passive {
		k.bad(path+".listenPort", "is for passive: true alone")
	}
	if p.Multihop == 1 {
		k.bad(path+".multihop", "must be 2 to 255, or 0 for a peer that is directly connected")
	}
	if p.Multihop > 0 && p.ASN == b.ASN {
		k.bad(path+".multihop", "has no meaning for iBGP, which goes over routers anyway")
	}
	k.timers(path, p)
	if p.AddPaths < 0 || p.AddPaths > mostAddPaths {
		k.bad(path+".addPaths", "%d must be 0 to %d", p.AddPaths, mostAddPaths)
	}
}

func (k *checker) timers(path string, p Peer) {
	k.seconds(path+".holdTime", p.HoldTime, leastHold, mostHold)
	k.seconds(path+".keepaliveTime", p.KeepaliveTime, time.Second, max(time.Second, time.Duration(p.HoldTime)/2))
	k.seconds(path+".connectRetry", p.ConnectRetry, time.Second, mostRetry)
	k.seconds(path+".gracefulRestart", *p.GracefulRestart, 0, mostRestart)
}

// seconds wants a whole number of seconds, as BGP carries them.
func (k *checker) seconds(path string, d Duration, least, most time.Duration) {
	if v := time.Duration(d); v%time.Second != 0 || v < least || v > most {
		k.bad(path, "%s must be whole seconds from %s to %s", v, least, most)
	}
}

// bgpGrants checks what a tenant may announce, and to whom.
func (k *checker) bgpGrants(path string, c *Config, t *Tenant) {
	for i, name := range t.BGPPeers {
		if _, known := c.Peer(name); !known {
			k.bad(fmt.Sprintf("%s.bgpPeers[%d]", path, i), "there is no BGP peer named %q", name)
		}
	}
	for i, pattern := range t.BGPCommunities {
		if err := communityPattern(pattern); err != nil {
			k.bad(fmt.Sprintf("%s.bgpCommunities[%d]", path, i), "%v", err)
		}
	}
}
