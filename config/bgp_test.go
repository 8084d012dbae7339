package config_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
)

const speaking = `apiVersion: landbridge.dev/v1
kind: Config
cluster: prod-1
bgp:
  asn: 64512
  neverAnnounce: [10.0.0.0/8, '2001:db8:9::/48']
  peers:
    - {name: tor-a, address: 198.51.100.1, asn: 4200000000}
    - {name: tor-b, address: '2001:db8::1', asn: 64512, passive: true, holdTime: 90s, gracefulRestart: 0s}
`

func TestBGPDefaults(t *testing.T) {
	t.Parallel()
	b := parse(t, speaking).BGP
	if b.Speakers != config.SpeakersLeader || *b.MaxRoutes != 10000 || b.Shutdown() != time.Second || b.PodNetworks.Source != config.PodNetworksNone {
		t.Errorf("got %+v", b)
	}
	restart, none := config.Duration(120*time.Second), config.Duration(0)
	want := []config.Peer{
		{
			Name: "tor-a", Address: "198.51.100.1", ASN: 4200000000, Port: 179, GracefulRestart: &restart,
			HoldTime: config.Duration(9 * time.Second), KeepaliveTime: config.Duration(3 * time.Second), ConnectRetry: config.Duration(5 * time.Second),
		},
		{
			Name: "tor-b", Address: "2001:db8::1", ASN: 64512, Port: 179, Passive: true, ListenPort: 179, GracefulRestart: &none,
			HoldTime: config.Duration(90 * time.Second), KeepaliveTime: config.Duration(30 * time.Second), ConnectRetry: config.Duration(5 * time.Second),
		},
	}
	if diff := cmp.Diff(want, b.Peers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNeverAnnounce(t *testing.T) {
	t.Parallel()
	b := parse(t, speaking).BGP
	for prefix, never := range map[string]bool{
		"10.1.2.3/32": true, "10.0.0.0/8": true, "0.0.0.0/0": false, "11.0.0.1/32": false,
		"2001:db8:9::1/128": true, "2001:db8:8::1/128": false,
	} {
		if _, got := b.Never(netip.MustParsePrefix(prefix)); got != never {
			t.Errorf("%s is never announced: %t", prefix, got)
		}
	}
}

func TestCommunities(t *testing.T) {
	t.Parallel()
	tenant := config.Tenant{BGPCommunities: []string{"64512:*", "64512:7:*", "no-export"}}
	for _, c := range []struct {
		text, canonical string
		granted         bool
	}{
		{"64512:100", "64512:100", true},
		{"64512:0100", "64512:100", true},
		{"64513:100", "64513:100", false},
		{"64512:7:4294967295", "64512:7:4294967295", true},
		{"64512:8:1", "64512:8:1", false},
		{"no-export", "no-export", true},
		{"no-advertise", "no-advertise", false},
		{"64512:65536", "", false},
		{"64512", "", false},
		{"64512:1:2:3", "", false},
		{"65535:0", "", false}, // RFC 8326's, which the speaker alone sets
		{"64512:4294967296:1", "", false},
		{"", "", false},
	} {
		got, err := annotation.ParseCommunity(c.text)
		if got != c.canonical || (err == nil) != (c.canonical != "") {
			t.Errorf("%q reads as %q, %v", c.text, got, err)
		}
		if err == nil && tenant.GrantsCommunity(got) != c.granted {
			t.Errorf("%q is granted: %t", c.text, !c.granted)
		}
	}
}

func TestPeersMayChangeWhileRunning(t *testing.T) {
	t.Parallel()
	one := parse(t, speaking)
	two := parse(t, speaking+"    - {name: tor-c, address: 198.51.100.3, asn: 64513}\n")
	if err := one.Replaceable(two); err != nil {
		t.Error(err)
	}
	two.BGP.Speakers = config.SpeakersAll
	if one.Replaceable(two) == nil {
		t.Error("who speaks may change while running")
	}
}
