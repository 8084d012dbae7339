package main

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/testenv/load"
	"landbridge.dev/testenv/world"
)

// What the callers of a service that moves are like.
const (
	rate      = 400  // connections a second, if the machine manages
	least     = 200  // so many of them are what this is about
	staying   = 50   // clients that stay connected
	returning = 20   // clients that come back again and again, where there is persistence
	measured  = 2000 // new clients, by whom a share is measured
	renewed   = 10   // of those that stay, so many leave and others come after each step
	changed   = 5    // and of those that come back
)

// migration is a service on its way from VMs to pods, and back.
type migration struct {
	*story
	app     string // the name of the Service, and what its pods and VMs are called after
	virtual string // of the network team, as is the pool
	pool    string
	persist bool  // the virtual server has clients come back to who answered them
	number  int   // of its addresses
	vms     []int // the numbers of its VMs

	sample   int            // by how many new clients a share is measured; 0 means measured
	settings map[string]any // of the network team's pool
	ramp     time.Duration  // its slow ramp
	foreign  string         // what the network team has on the device, before anything is done
	stood    []string       // all that stands there, at that time
	load     *load.Load
	rows     []row
}

// address is that of its virtual server.
func (m *migration) address() netip.AddrPort {
	return netip.AddrPortFrom(m.world.Addresses.VIP4(m.number), 80)
}

// service is its Service.
func (m *migration) service() string { return "shop/" + m.app }

// vm is the name of its nth VM, as world.StartVM wants it.
func (m *migration) vm(n int) string { return fmt.Sprintf("%s-vm-%d", m.app, n) }

// pods are the names of its pods.
func (m *migration) pods() []string {
	return []string{m.app + "-pod-1", m.app + "-pod-2", m.app + "-pod-3"}
}

// isPod says whether it was a pod who answered; else it was a VM.
func (m *migration) isPod(who string) bool { return strings.HasPrefix(who, m.app+"-pod-") }

// end ends the load.
func (m *migration) end() {
	if m.load != nil {
		m.load.Stop()
	}
}

// stand is the service as it has been for years: VMs behind a virtual server.
func (m *migration) stand(ctx context.Context) error {
	var members []any
	for _, n := range m.vms {
		vm, err := m.world.StartVM(m.vm(n))
		if err != nil {
			return err
		}
		members = append(members, map[string]any{
			"name": fmt.Sprintf("/Common/%s:%d", vm.Address, world.VMPort), "address": vm.Address.String(), "description": "VM " + vm.Name,
		})
	}
	pool := map[string]any{"name": m.pool, "monitor": "/Common/tcp", "members": members, "description": m.app + ", ask the network team"}
	for key, value := range m.settings {
		pool[key] = value
	}
	virtual := map[string]any{
		"name": m.virtual, "ipProtocol": "tcp", "pool": m.pool, "destination": "/web/" + m.address().String(), "mask": "255.255.255.255",
		"profiles": []any{map[string]any{"name": "/Common/tcp"}}, "sourceAddressTranslation": map[string]any{"type": "automap"},
	}
	if m.persist {
		virtual["persist"] = []any{map[string]any{"name": "/Common/source_addr"}}
	}
	if err := m.networkTeam("ltm/pool", pool); err != nil {
		return err
	}
	if err := m.networkTeam("ltm/virtual", virtual); err != nil {
		return err
	}
	return m.await(ctx, "the VMs to be up", func(ctx context.Context) (bool, error) {
		members, err := m.world.Members(ctx, m.pool)
		return strings.Count(strings.Join(members, "\n"), "state=up") == len(m.vms), err
	})
}

// callers begin to call: from now on there is no moment without them.
func (m *migration) callers(ctx context.Context) (err error) {
	if m.foreign, err = m.theirs(); err != nil {
		return err
	}
	m.stood = m.world.Standing()
	m.device(ctx, m.virtual)
	o := load.Options{Address: m.address(), From: m.world.Addresses.Clients(m.number), Rate: rate}
	if m.persist {
		o.Returning = returning
	}
	if m.load, err = load.Start(o); err != nil {
		return err
	}
	if err := m.load.Keep(ctx, staying); err != nil {
		return err
	}
	m.said("clients", fmt.Sprintf("%d new ones a second, and %d that stay connected and ask twice a second", rate, staying))
	if m.persist {
		m.said("", fmt.Sprintf("every fifth connection is of one of %d that come back again and again", returning))
	}
	return nil
}

// theirs is what the network team has on the device, but for the count of
// changes that a device keeps of each object.
func (m *migration) theirs() (string, error) {
	text, err := m.world.Foreign()
	return world.Bookkeeping().ReplaceAllString(text, ""), err
}

// shares are the steps of a move, there and back.
func (m *migration) shares(title string, share int, play func(context.Context) error) step {
	return step{fmt.Sprintf("%s → %d %%: %s", m.app, share, title), play}
}

// imported has manifests made from what stands, and applies them: the service
// has pods from then on, which take nothing yet.
func (m *migration) imported(ctx context.Context, flags ...string) error {
	return m.step(ctx, "import", 0, func(ctx context.Context) error {
		mark := m.world.Active().Writes()
		if err := m.world.Kube.Apply(ctx, []byte(podManifest(m.app, m.pods()...))); err != nil {
			return err
		}
		if err := m.podsReady(ctx, m.app); err != nil {
			return err
		}
		args := append([]string{"import", "--device", "dc1", "-n", "shop", "-l", "app=" + m.app}, flags...)
		manifest, err := m.landbridge(ctx, append(args, m.virtual)...)
		if err != nil {
			return err
		}
		m.said("ran", "landbridge "+strings.Join(append(args, m.virtual), " "))
		m.said("import", manifest)
		m.said("edited", "its name is "+m.app)
		manifest = strings.Replace(manifest, "name: "+strings.ReplaceAll(strings.TrimPrefix(m.virtual, "/web/"), "_", "-"), "name: "+m.app, 1)
		if err := m.world.Kube.Apply(ctx, []byte(manifest)); err != nil {
			return err
		}
		if err := m.says(ctx, "VMsOnly"); err != nil {
			return err
		}
		m.checked("%s says Programmed=True, VMsOnly: all is as asked, and the VMs alone take clients", m.service())
		if err := m.movesNothing(m.world.Writes(mark)); err != nil {
			return err
		}
		m.device(ctx, m.virtual)
		return nil
	})
}

// movesNothing checks that changes are tags, nodes, and members that take
// nothing.
func (m *migration) movesNothing(calls []string) error {
	tags, members, nodes := 0, 0, 0
	for _, call := range calls {
		words := strings.SplitN(call, " ", 4) // method, path, status, body
		method, path, body := words[0], words[1], words[3]
		switch {
		case strings.HasPrefix(path, "/mgmt/tm/transaction"):
		case method == http.MethodPost && path == "/mgmt/tm/ltm/node":
			nodes++
		case method == http.MethodPost && strings.HasSuffix(path, "/members") && strings.Contains(body, `"state":"user-down"`):
			members++
		case method == http.MethodPatch && strings.HasPrefix(body, `{"description":"`) && strings.Count(body, `":`) == 1:
			tags++
		default:
			return fmt.Errorf("the import changed more than tags and members that take nothing: %s", call)
		}
	}
	if members != len(m.pods()) {
		return fmt.Errorf("%d members came, want one for each of %d pods: %v", members, len(m.pods()), calls)
	}
	m.checked("what came to the device: %d nodes, %d members, each forced offline, and %d tags", nodes, members, tags)
	return nil
}

// says waits until the Service says that it is served, for a reason.
func (m *migration) says(ctx context.Context, reason string) error {
	said := "nothing"
	err := m.await(ctx, "its condition", func(ctx context.Context) (bool, error) {
		svc, err := m.world.Kube.Client().CoreV1().Services("shop").Get(ctx, m.app, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		c := meta.FindStatusCondition(svc.Status.Conditions, "landbridge.dev/Programmed")
		if c == nil {
			return false, nil
		}
		said = fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		return c.Status == metav1.ConditionTrue && c.Reason == reason, nil
	})
	if err != nil {
		return fmt.Errorf("%w; %s says %s", err, m.service(), said)
	}
	return nil
}
