package registry_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"landbridge.dev/mq/protocol"
	"landbridge.dev/mq/registry"
	"landbridge.dev/sync/state"
)

var shop = state.Ref{Namespace: "shop", Name: "orders"}

// epoch is when every test begins.
var epoch = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// offer lets orders-vm register in 10.20.0.0/16 and 2001:db8:20::/64, and
// till-vm in 10.30.0.0/16.
func offer() *state.Registry {
	return &state.Registry{
		Service: shop, Ports: []state.RegistryPort{{Name: "http", Protocol: state.TCP, Number: 80}},
		Grants: []state.RegistryGrant{
			{Users: []string{"orders-vm"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("2001:db8:20::/64"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16")}},
			{Users: []string{"till-vm"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.30.0.0/16")}},
		},
	}
}

// belongs says that 10.20.9.0/24 is the cluster's.
func belongs(a netip.Addr) string {
	if netip.MustParsePrefix("10.20.9.0/24").Contains(a) {
		return "an address of a pod"
	}
	return ""
}

func table() *registry.Table {
	t := registry.NewTable()
	t.Offer(shop, offer())
	return t
}

// message is a registration of vm-N at 10.20.0.N, changed as given.
func message(n int, change ...func(*protocol.Registration)) *protocol.Registration {
	m := &protocol.Registration{
		V: 1, Op: protocol.Register, Service: "shop/orders", Instance: fmt.Sprintf("vm-%d", n), Boot: "a", Seq: 1,
		Addresses: []string{fmt.Sprintf("10.20.%d.%d", n/250, n%250+1)}, Ports: []protocol.Port{{Port: 8080}}, LeaseSeconds: 30,
	}
	for _, c := range change {
		c(m)
	}
	return m
}

func op(o protocol.Op, boot string, seq uint64) func(*protocol.Registration) {
	return func(m *protocol.Registration) { m.Op, m.Boot, m.Seq = o, boot, seq }
}

func at(addresses ...string) func(*protocol.Registration) {
	return func(m *protocol.Registration) { m.Addresses = addresses }
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		before []*protocol.Registration
		m      *protocol.Registration
		user   string
		want   protocol.Code
	}{
		{name: "a VM of a granted user in its network", m: message(1)},
		{name: "of both families", m: message(1, at("2001:db8:20::1", "10.20.0.1"))},
		{name: "nobody: the broker was told no user", m: message(1), user: "-", want: protocol.Forbidden},
		{name: "a foreign user", m: message(1), user: "mallory", want: protocol.Forbidden},
		{name: "another tenant's Service", m: message(1, func(m *protocol.Registration) { m.Service = "bank/vault" }), want: protocol.Forbidden},
		{name: "another entry's network", m: message(1, at("10.30.0.1")), want: protocol.BadAddress},
		{name: "that entry's user there", m: message(1, at("10.30.0.1")), user: "till-vm"},
		{name: "no address", m: message(1, at()), want: protocol.BadAddress},
		{name: "loopback, though granted", m: message(1, at("127.0.0.1")), want: protocol.BadAddress},
		{name: "link-local and metadata, though granted", m: message(1, at("169.254.169.254")), want: protocol.BadAddress},
		{name: "IPv4 in IPv6", m: message(1, at("::ffff:10.20.0.1")), want: protocol.BadAddress},
		{name: "with a zone", m: message(1, at("fe80::1%eth0")), want: protocol.BadAddress},
		{name: "a pod's", m: message(1, at("10.20.9.7")), want: protocol.BadAddress},
		{name: "two of a family", m: message(1, at("10.20.0.1", "10.20.0.2")), want: protocol.BadAddress},
		{name: "no port", m: message(1, func(m *protocol.Registration) { m.Ports = nil }), want: protocol.BadPort},
		{name: "a port that the Service has not", m: message(1, func(m *protocol.Registration) { m.Ports[0].Name = "ssh" }), want: protocol.BadPort},
		{name: "port 0", m: message(1, func(m *protocol.Registration) { m.Ports[0].Port = 0 }), want: protocol.BadPort},
		{name: "an instance that is no name", m: message(1, func(m *protocol.Registration) { m.Instance = "../x" }), want: protocol.Malformed},
		{name: "an operation that is none", m: message(1, op("explode", "a", 1)), want: protocol.Malformed},
		{name: "a heartbeat of nobody", m: message(1, op(protocol.Heartbeat, "a", 1)), want: protocol.Unknown},
		{name: "a heartbeat", before: []*protocol.Registration{message(1)}, m: message(1, op(protocol.Heartbeat, "a", 2))},
		{name: "a replayed message", before: []*protocol.Registration{message(1)}, m: message(1), want: protocol.Stale},
		{name: "a new boot", before: []*protocol.Registration{message(1)}, m: message(1, op(protocol.Register, "b", 1))},
		{
			name: "the registration of a boot that was replaced", want: protocol.Stale,
			before: []*protocol.Registration{message(1), message(1, op(protocol.Register, "b", 1))}, m: message(1, op(protocol.Register, "a", 99)),
		},
		{
			name: "a heartbeat of a boot that did not register", want: protocol.Unknown,
			before: []*protocol.Registration{message(1)}, m: message(1, op(protocol.Heartbeat, "b", 1)),
		},
		{
			name: "two VMs with one name", want: protocol.Conflict,
			before: []*protocol.Registration{message(1)}, m: message(1, op(protocol.Register, "b", 1), at("10.20.0.77")),
		},
		{
			name: "two VMs with one address", want: protocol.Conflict,
			before: []*protocol.Registration{message(1)}, m: message(2, at("10.20.0.2")),
		},
		{name: "another's instance", before: []*protocol.Registration{message(1)}, m: message(1, op(protocol.Leave, "a", 9)), user: "till-vm", want: protocol.Conflict},
		{name: "leaving", before: []*protocol.Registration{message(1)}, m: message(1, op(protocol.Leave, "a", 9))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tab := table()
			for _, m := range tc.before {
				if v := tab.Apply(m, "orders-vm", belongs, epoch); v.Code != "" {
					t.Fatalf("before: %s", v.Message)
				}
			}
			user := map[string]string{"": "orders-vm", "-": ""}[tc.user]
			if tc.user != "" && tc.user != "-" {
				user = tc.user
			}
			before := tab.VMs(shop)
			v := tab.Apply(tc.m, user, belongs, epoch.Add(time.Second))
			if v.Code != tc.want {
				t.Fatalf("got %q (%s), want %q", v.Code, v.Message, tc.want)
			}
			if v.Code != "" && (v.Changed || len(tab.VMs(shop)) != len(before)) {
				t.Error("a message that was refused changed something")
			}
		})
	}
}

// conditions are how VMs stand, by instance.
func conditions(tab *registry.Table) map[string]state.VMCondition {
	found := map[string]state.VMCondition{}
	for _, vm := range tab.VMs(shop) {
		found[vm.Instance] = vm.Condition
	}
	return found
}

func TestALeaseRunsOut(t *testing.T) {
	t.Parallel()
	tab := table()
	tab.Apply(message(1), "orders-vm", belongs, epoch)
	tab.Apply(message(2), "orders-vm", belongs, epoch)
	beat := func(n int, seq uint64, after time.Duration) {
		if v := tab.Apply(message(n, op(protocol.Heartbeat, "a", seq)), "orders-vm", belongs, epoch.Add(after)); v.Code != "" || v.Changed {
			t.Fatalf("a heartbeat: %+v", v)
		}
	}
	beat(2, 2, 25*time.Second)
	if changed := tab.Expire(epoch.Add(29 * time.Second)); len(changed) > 0 {
		t.Error("a lease ran out early")
	}
	tab.Expire(epoch.Add(30 * time.Second))
	if got := conditions(tab); got["vm-1"] != state.VMSilent || got["vm-2"] != state.VMReady {
		t.Errorf("after a lease: %v", got)
	}
	beat(2, 3, 50*time.Second)
	tab.Expire(epoch.Add(60 * time.Second))
	if _, there := conditions(tab)["vm-1"]; there {
		t.Error("a VM is kept beyond its lease and grace")
	}
	// Its address is free for another now, and a heartbeat of it is not known.
	if v := tab.Apply(message(1, op(protocol.Heartbeat, "a", 9)), "orders-vm", belongs, epoch.Add(61*time.Second)); v.Code != protocol.Unknown {
		t.Errorf("a heartbeat of one that is gone: %+v", v)
	}
}

func TestDraining(t *testing.T) {
	t.Parallel()
	tab := table()
	tab.Apply(message(1), "orders-vm", belongs, epoch)
	tab.Apply(message(1, op(protocol.Drain, "a", 2)), "orders-vm", belongs, epoch)
	tab.Apply(message(1, op(protocol.Heartbeat, "a", 3)), "orders-vm", belongs, epoch)
	if got := conditions(tab)["vm-1"]; got != state.VMDraining {
		t.Errorf("a heartbeat ended a drain: %d", got)
	}
	tab.Apply(message(1, op(protocol.Register, "b", 1)), "orders-vm", belongs, epoch)
	if got := conditions(tab)["vm-1"]; got != state.VMReady {
		t.Errorf("after a new start: %d", got)
	}
}

// Where VMs stop renewing together they stay, until they are heard of again or
// fewer than a third are missing.
func TestBrake(t *testing.T) {
	t.Parallel()
	tab := table()
	for n := range 9 {
		tab.Apply(message(n), "orders-vm", belongs, epoch)
	}
	// Their heartbeats had been spread over ten seconds.
	for n := range 9 {
		tab.Apply(message(n, op(protocol.Heartbeat, "a", 2)), "orders-vm", belongs, epoch.Add(time.Duration(n)*time.Second))
	}
	for s := range 200 {
		tab.Expire(epoch.Add(time.Duration(s) * time.Second))
	}
	for name, c := range conditions(tab) {
		if c != state.VMReady {
			t.Errorf("%s is %d", name, c)
		}
	}
	if !tab.Braked(shop) {
		t.Error("nobody is told of the brake")
	}
	now := epoch.Add(200 * time.Second)
	for n := range 7 { // two are dead indeed
		tab.Apply(message(n, op(protocol.Heartbeat, "a", 3)), "orders-vm", belongs, now)
	}
	if changed := tab.Expire(now); len(changed) != 1 {
		t.Errorf("changed: %v", changed)
	}
	if got := conditions(tab); len(got) != 7 || tab.Braked(shop) {
		t.Errorf("after most were heard of: %v, braked %v", got, tab.Braked(shop))
	}
}

// VMs that stopped together are kept by the brake; when they are made anew, by
// the name or by the address, they are no conflict with what is kept.
func TestBackAfterABrake(t *testing.T) {
	t.Parallel()
	tab := table()
	for n := range 3 {
		tab.Apply(message(n), "orders-vm", belongs, epoch)
	}
	now := epoch.Add(time.Hour)
	tab.Expire(now)
	if !tab.Braked(shop) || len(conditions(tab)) != 3 {
		t.Fatalf("braked %v: %v", tab.Braked(shop), conditions(tab))
	}
	for name, m := range map[string]*protocol.Registration{
		"an old address under a new name": message(0, op(protocol.Register, "b", 1), func(m *protocol.Registration) { m.Instance = "vm-new" }),
		"an old name at a new address":    message(1, op(protocol.Register, "b", 1), at("10.20.7.7")),
	} {
		if a := tab.Apply(m, "orders-vm", belongs, now); a.Code != "" {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// A Service's port has another name now: the VMs are told to register anew.
func TestRenamedPort(t *testing.T) {
	t.Parallel()
	tab := table()
	tab.Apply(message(1), "orders-vm", belongs, epoch)
	o := offer()
	o.Ports[0].Name = "web"
	tab.Offer(shop, o)
	if a := tab.Apply(message(1, op(protocol.Heartbeat, "a", 2)), "orders-vm", belongs, epoch); a.Code != protocol.Unknown {
		t.Errorf("a heartbeat: %+v", a)
	}
	if a := tab.Apply(message(1, op(protocol.Register, "a", 3)), "orders-vm", belongs, epoch); a.Code != "" {
		t.Errorf("registering anew: %+v", a)
	}
}

// A new leader begins with the VMs that stand, and with a whole lease for each.
func TestAdopt(t *testing.T) {
	t.Parallel()
	old := table()
	old.Apply(message(1), "orders-vm", belongs, epoch)
	old.Apply(message(2), "orders-vm", belongs, epoch)
	old.Apply(message(2, op(protocol.Drain, "a", 2)), "orders-vm", belongs, epoch)
	tab := table()
	later := epoch.Add(time.Hour)
	tab.Adopt(shop, old.VMs(shop), later)
	if changed := tab.Expire(later.Add(29 * time.Second)); len(changed) > 0 {
		t.Error("a VM fell silent within the first lease")
	}
	if got := conditions(tab); got["vm-1"] != state.VMReady || got["vm-2"] != state.VMDraining {
		t.Errorf("taken over: %v", got)
	}
	if v := tab.Apply(message(1, op(protocol.Heartbeat, "a", 5)), "orders-vm", belongs, later); v.Code != "" || v.Changed {
		t.Errorf("a heartbeat of one that was taken over: %+v", v)
	}
	// What is granted no longer is not taken over, nor what nobody asks for.
	less := offer()
	less.Grants = less.Grants[1:]
	tab.Offer(shop, less)
	if got := conditions(tab); len(got) > 0 {
		t.Errorf("without a grant: %v", got)
	}
	held := &state.Registry{Service: shop, Held: true}
	tab = registry.NewTable()
	tab.Offer(shop, held)
	tab.Adopt(shop, old.VMs(shop), later)
	if got := conditions(tab); len(got) != 2 {
		t.Errorf("while it is held, VMs stay: %v", got)
	}
	if v := tab.Apply(message(3), "orders-vm", belongs, later); v.Code != protocol.Forbidden {
		t.Errorf("while it is held nobody comes: %+v", v)
	}
}
