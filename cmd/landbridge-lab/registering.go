package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"landbridge.dev/testenv/load"
	"landbridge.dev/testenv/world"
)

const (
	// tillUser is the broker's user for the VMs of the till.
	tillUser = "till-vm"
	// tillSample is by how many clients a share of the till is measured.
	tillSample = 1000
)

// tillGrant is what the platform team adds for it to the tenant's entry.
const tillGrant = `    vmUsers: [till-vm]
    vmCIDRs: [$VMS]
`

// tillService is what its team writes.
const tillService = `apiVersion: v1
kind: Service
metadata:
  name: till
  namespace: shop
  annotations:
    landbridge.dev/partition: web
    landbridge.dev/virtual-address: $VIP
    landbridge.dev/vm-registry: till-vm
    landbridge.dev/mq-announce: "true"
spec:
  selector: {app: till}
  ports: [{port: 80, targetPort: http}]
`

// till is a service whose VMs register, on its way to pods and back.
type till struct {
	*migration
	machines []*serviceProcess
}

// registering is the chapter in which VMs register over the broker. Each is a
// process with an agent, in a network namespace of its own.
func (s *story) registering() chapter {
	t := s.till
	return chapter{"VMs register themselves, and their service moves to pods and back", []step{
		{"Four VMs with an agent each, in networks of their own, register, and clients come", t.register},
		{"Pods come, and take nothing; a VM finds them by the file of its agent", t.podsCome},
		t.shares("half for the pods", 50, t.move(50)),
		{"A VM is killed, one is told to stop, one is cut from the broker", t.threeGo},
		{"All of them are back", t.allBack},
		t.shares("the VMs stand by", 100, t.move(100)),
		t.shares("all goes back to the VMs", 0, t.move(0)),
		{"The Service is deleted, and the VMs stop", t.closed},
	}}
}

func (s *story) newTill() *till {
	const pool = "/web/lb_lab_shop_till_80"
	return &till{migration: &migration{story: s, app: "till", virtual: pool, pool: pool, vms: []int{6, 7, 8, 9}, sample: tillSample}}
}

// granted has the tenant's entry allow the VMs; the controller takes that up
// while it runs.
func (t *till) granted(ctx context.Context) error {
	n, err := t.world.StartBroker(ctx)
	if err != nil {
		return err
	}
	if err := t.world.AddVMUser(ctx, tillUser); err != nil {
		return err
	}
	// The chapter before has added the section mq.
	if err := t.reconfigure(func(text string) (string, error) { return insert(text, "mq:\n", t.world.Expand(tillGrant)) }); err != nil {
		return err
	}
	t.said("config", t.world.Expand(tillGrant))
	t.said("broker", n.URL()+" has a user "+tillUser+", who may write registrations and read announcements")
	return nil
}

func (t *till) register(ctx context.Context) error {
	if err := t.granted(ctx); err != nil {
		return err
	}
	t.said("applied", t.world.Expand(tillService))
	if err := t.world.Kube.Apply(ctx, []byte(t.world.Expand(tillService))); err != nil {
		return err
	}
	for _, n := range t.vms {
		if err := t.machine(n); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(t.agentFile(t.machines[0].name, ".yaml"))
	if err != nil {
		return err
	}
	t.said("agent", string(text))
	if err := t.up(ctx, t.machines...); err != nil {
		return err
	}
	seen, err := t.kubectl(ctx, "get", "endpointslices", "-n", "shop", "-l", "landbridge.dev/service=till")
	if err != nil {
		return err
	}
	t.said("cluster", seen)
	t.checked("%d VMs are members of the pool, each registered by its agent alone", len(t.machines))
	return t.callers(ctx)
}

// machine makes the VM with a number, and starts it.
func (t *till) machine(n int) error {
	name := t.vm(n)
	host, err := t.world.SetApart(name)
	if err != nil {
		return err
	}
	p := &serviceProcess{name: name, host: host, file: t.agentFile(name, ".json"), at: netip.AddrPortFrom(t.world.Addresses.VM(n), world.VMPort)}
	config := strings.NewReplacer("NAME", name, "ADDRESS", p.at.String(), "FILE", p.file).Replace(t.world.Expand(machineConfig))
	if err := os.WriteFile(t.agentFile(name, ".yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	t.machines = append(t.machines, p)
	return p.start(t.world)
}

// is says whether a VM's member on the device reads so.
func (t *till) is(ctx context.Context, p *serviceProcess, what string) (bool, error) {
	members, err := t.world.Members(ctx, t.pool)
	return slices.ContainsFunc(members, func(m string) bool { return strings.HasPrefix(m, p.name+":") && strings.Contains(m, what) }), err
}

// until waits until a VM's member reads so, and says how long that took.
func (t *till) until(ctx context.Context, p *serviceProcess, what string) (time.Duration, error) {
	began := time.Now()
	err := t.await(ctx, p.name+" to be "+what, func(ctx context.Context) (bool, error) { return t.is(ctx, p, what) })
	return time.Since(began), err
}

// up waits until VMs take clients.
func (t *till) up(ctx context.Context, machines ...*serviceProcess) error {
	for _, p := range machines {
		if _, err := t.until(ctx, p, "session=monitor-enabled state=up"); err != nil {
			return err
		}
	}
	return nil
}

func (t *till) podsCome(ctx context.Context) error {
	err := t.step(ctx, "pods come", 0, func(ctx context.Context) error {
		if err := t.world.Kube.Apply(ctx, []byte(podManifest(t.app, t.pods()...))); err != nil {
			return err
		}
		if err := t.podsReady(ctx, t.app); err != nil {
			return err
		}
		if err := t.await(ctx, "the pods to be members", func(ctx context.Context) (bool, error) {
			members, err := t.world.Members(ctx, t.pool)
			return strings.Count(strings.Join(members, "\n"), "till-pod-") == len(t.pods()), err
		}); err != nil {
			return err
		}
		t.device(ctx, t.virtual)
		return nil
	})
	if err != nil {
		return err
	}
	p, found := t.machines[0], ""
	if err := t.await(ctx, "the VM's file to have the pods", func(ctx context.Context) (bool, error) {
		answer := &strings.Builder{}
		err := relay(ctx, answer, "http://"+p.at.String()+"/pods")
		found = answer.String()
		return strings.Count(found, "pod=till-pod-") == len(t.pods()), err
	}); err != nil {
		return err
	}
	t.said("file", filepath.Base(p.file)+", by which "+p.name+" asked\n"+found)
	t.checked("%s has found %d pods by its agent's file, and has asked each", p.name, len(t.pods()))
	return nil
}

// threeGo has three of the VMs go, each in its way, while clients come.
func (t *till) threeGo(ctx context.Context) error {
	killed, stopped, apart := t.machines[0], t.machines[1], t.machines[2]
	w, before, calls := t.load.Open(), len(t.load.Kept()), t.world.AllWrites()
	died := time.Now()
	killed.kill()
	dead := time.Now()
	if err := errors.Join(stopped.agent.End(), apart.host.Cut(t.world.Addresses.Broker())); err != nil {
		return err
	}
	drained, err := t.until(ctx, stopped, "user-disabled")
	if err != nil {
		return err
	}
	t.checked("%s was told to stop, and takes nothing new after %.1f s", stopped.name, drained.Seconds())
	for _, p := range []*serviceProcess{killed, apart} {
		if _, err := t.until(ctx, p, "user-disabled"); err != nil {
			return err
		}
	}
	out := time.Since(died)
	t.device(ctx, t.virtual)
	t.checked("%s was killed, and %s cannot reach the broker: both are out %.1f s after (their lease is 4 s)", killed.name, apart.name, out.Seconds())
	connected := t.load.HangUp(func(who string) bool { return who == stopped.name })
	if err := stopped.agent.AwaitEnd(ctx); err != nil {
		return err
	}
	stopped.end()
	t.checked("%d clients were connected to %s, and were answered until they hung up; then its agent ended", connected, stopped.name)
	if err := t.await(ctx, "the killed VM to be gone", func(ctx context.Context) (bool, error) {
		there, err := t.is(ctx, killed, "")
		return !there, err
	}); err != nil {
		return err
	}
	return t.lost(w.Close(), killed.name, [2]time.Time{died, dead}, row{kept: before, calls: t.world.AllWrites() - calls})
}

// lost checks that nothing failed but what the VM had that was killed between
// two times.
func (t *till) lost(c load.Count, killed string, between [2]time.Time, r row) error {
	var others []load.Failure
	for _, f := range c.Failed { // let in, asked, and not answered: by whom, only its end tells
		if !f.Connected.IsZero() && f.Begun.Before(between[1]) && !f.At.Before(between[0]) {
			r.apart++
			continue
		}
		others = append(others, f)
	}
	for _, f := range c.Broken {
		if f.Who == killed {
			r.cut++
			continue
		}
		others = append(others, f)
	}
	if len(others) > 0 {
		return fmt.Errorf("%d of %d requests, and connections that stayed, failed: %+v", len(others), c.Requests(), others)
	}
	r.kept -= r.cut
	r.name, r.asked, r.all = "three go", -1, c
	t.rows = append(t.rows, r)
	t.said("apart", fmt.Sprintf("lost with %s: %d requests that it was answering, %d connections that stayed; their clients came again", killed, r.apart, r.cut))
	t.checked("%d requests meanwhile, none failed else", c.Requests())
	return nil
}

func (t *till) allBack(ctx context.Context) error {
	if err := t.machines[2].host.Mend(t.world.Addresses.Broker()); err != nil {
		return err
	}
	for _, p := range t.machines[:2] {
		if err := p.start(t.world); err != nil {
			return err
		}
	}
	if err := t.up(ctx, t.machines...); err != nil {
		return err
	}
	t.checked("the two that ended were started again, and the third reaches the broker: all take clients")
	return t.load.Keep(ctx, staying-len(t.load.Kept()))
}

func (t *till) closed(ctx context.Context) error {
	t.migration.end()
	if _, err := t.kubectl(ctx, "delete", "service", "till", "-n", "shop"); err != nil {
		return err
	}
	for _, p := range t.machines {
		if err := p.agent.Stop(ctx); err != nil {
			return err
		}
		p.end()
	}
	if _, err := t.kubectl(ctx, "delete", "pod", "-n", "shop", "-l", "app=till", "--grace-period=1"); err != nil {
		return err
	}
	for _, o := range t.world.Standing() {
		if strings.Contains(o, "10.244.") || strings.Contains(o, "lb_lab_shop_till") || slices.ContainsFunc(t.machines, func(p *serviceProcess) bool { return strings.Contains(o, p.at.Addr().String()) }) {
			return fmt.Errorf("%s is left on the device", o)
		}
	}
	t.checked("nothing of it is left on the device, nor in the cluster")
	return nil
}

// end ends the load and the VMs' processes.
func (t *till) end() {
	t.migration.end()
	for _, p := range t.machines {
		p.end()
	}
}
