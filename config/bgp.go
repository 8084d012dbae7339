package config

import (
	"net/netip"
	"slices"
	"time"
)

// Which replicas speak BGP.
const (
	SpeakersLeader = "leader"
	SpeakersAll    = "all"
)

// Where the networks of pods are read, and what is made of them.
const (
	PodNetworksNone   = "none"
	PodNetworksNode   = "node"
	PodNetworksCalico = "calico"
	PodNetworksCilium = "cilium"

	PodNetworksAsBGP    = "bgp"
	PodNetworksAsStatic = "bigip-static-routes"
)

// BGP says to which routers routes are announced, and how.
type BGP struct {
	// ASN is our autonomous system's number, 1 to 4294967294.
	ASN uint32 `json:"asn"`
	// RouterID is an IPv4 address; empty for each replica's own.
	RouterID string `json:"routerID,omitempty"`
	// Speakers is SpeakersLeader (default) or SpeakersAll.
	Speakers string `json:"speakers,omitempty"`
	Peers    []Peer `json:"peers"`
	// PodNetworks are announced as well; by default none is.
	PodNetworks PodNetworks `json:"podNetworks,omitempty"`
	// NeverAnnounce are prefixes of which, and of parts of which, no route
	// is made.
	NeverAnnounce []Prefix `json:"neverAnnounce,omitempty"`
	// MaxRoutes is how many prefixes are announced at most: 10000 unless
	// written, 0 for no limit.
	MaxRoutes *int `json:"maxRoutes,omitempty"`
	// ExcludeCordoned takes cordoned nodes for no next hops.
	ExcludeCordoned bool `json:"excludeCordoned,omitempty"`
	// GracefulShutdown is how long a route that is to be withdrawn as
	// planned carries the community of RFC 8326 first: 1s unless written, at
	// most 1m, 0s for not.
	GracefulShutdown *Duration `json:"gracefulShutdown,omitempty"`
}

// PodNetworks say where the networks of pods are read.
type PodNetworks struct {
	// Source is PodNetworksNone (default), PodNetworksNode,
	// PodNetworksCalico or PodNetworksCilium.
	Source string `json:"source,omitempty"`
	// As is PodNetworksAsBGP (default) or PodNetworksAsStatic.
	As string `json:"as,omitempty"`
	// Peers are the names of those that are told; without any all are.
	Peers []string `json:"peers,omitempty"`
}

// Peer is one router.
type Peer struct {
	Name    string `json:"name"`    // a DNS label, by which tenants and Services call it
	Address string `json:"address"` // of the router
	// Port is the peer's: 179 unless written.
	Port uint16 `json:"port,omitempty"`
	// ASN is the peer's; the same as ours makes the session iBGP.
	ASN uint32 `json:"asn"`
	// PasswordFile holds the key of TCP MD5 (RFC 2385), 80 bytes at most.
	PasswordFile string `json:"passwordFile,omitempty"`
	// LocalAddress is the source of the session; empty for the replica's
	// own, and where it has none for that of the route to the peer.
	LocalAddress string `json:"localAddress,omitempty"`
	// Passive waits for the peer to connect, to LocalAddress and ListenPort.
	Passive bool `json:"passive,omitempty"`
	// ListenPort is that of a passive session: 179 unless written.
	ListenPort uint16 `json:"listenPort,omitempty"`
	// Multihop is the TTL of an eBGP session over routers, 2 to 255; 0 for a
	// peer that is directly connected.
	Multihop uint8 `json:"multihop,omitempty"`
	// HoldTime is 3s to 65535s, in whole seconds: 9s unless written.
	HoldTime Duration `json:"holdTime,omitempty"`
	// KeepaliveTime is a third of HoldTime unless written.
	KeepaliveTime Duration `json:"keepaliveTime,omitempty"`
	// ConnectRetry is how long after a failed try the next one comes, up to
	// twice as long: 5s unless written.
	ConnectRetry Duration `json:"connectRetry,omitempty"`
	// GracefulRestart is how long the peer keeps our routes while we are
	// away, at most 4095s: 120s unless written, 0s for not.
	GracefulRestart *Duration `json:"gracefulRestart,omitempty"`
	// AddPaths is how many next hops of a prefix are announced at most where
	// the peer takes several (RFC 7911): 0 to 255. With 0 it is one.
	AddPaths int `json:"addPaths,omitempty"`
}

// Restart is how long the peer keeps our routes while we are away.
func (p Peer) Restart() time.Duration { return time.Duration(*p.GracefulRestart) }

// Shutdown is how long a route is announced as leaving.
func (b *BGP) Shutdown() time.Duration { return time.Duration(*b.GracefulShutdown) }

// NetworkPeers are the names of the peers that are told of pod networks, sorted.
func (b *BGP) NetworkPeers() []string {
	names := slices.Clone(b.PodNetworks.Peers)
	if len(names) == 0 {
		for _, p := range b.Peers {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Never is the prefix of NeverAnnounce that keeps p from being announced.
func (b *BGP) Never(p netip.Prefix) (netip.Prefix, bool) {
	for _, n := range b.NeverAnnounce {
		if n.Bits() <= p.Bits() && n.Contains(p.Addr()) {
			return n.Prefix, true
		}
	}
	return netip.Prefix{}, false
}

// setDefaults fills in what is not written.
func (b *BGP) setDefaults() {
	if b == nil {
		return
	}
	if b.Speakers == "" {
		b.Speakers = SpeakersLeader
	}
	if b.PodNetworks.Source == "" {
		b.PodNetworks.Source = PodNetworksNone
	}
	if b.PodNetworks.As == "" {
		b.PodNetworks.As = PodNetworksAsBGP
	}
	setDefault(&b.MaxRoutes, defaultRoutes)
	setDefault(&b.GracefulShutdown, Duration(time.Second))
	for i := range b.Peers {
		p := &b.Peers[i]
		if p.Port == 0 {
			p.Port = defaultBGPPort
		}
		if p.ListenPort == 0 && p.Passive {
			p.ListenPort = defaultBGPPort
		}
		if p.HoldTime == 0 {
			p.HoldTime = Duration(9 * time.Second)
		}
		if p.KeepaliveTime == 0 {
			p.KeepaliveTime = Duration((time.Duration(p.HoldTime) / 3).Truncate(time.Second))
		}
		if p.ConnectRetry == 0 {
			p.ConnectRetry = Duration(5 * time.Second)
		}
		setDefault(&p.GracefulRestart, Duration(120*time.Second))
	}
}
