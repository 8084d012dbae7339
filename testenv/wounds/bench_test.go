// Package wounds_test has a test for each wound that people had from the
// controller of BIG-IPs before this one, named after what happened there. The
// numbers are those of its issues (F5Networks/k8s-bigip-ctlr), or of the project
// that is named. Those that take a real API server or real connections are
// scripts: testdata/script/wound-*.txtar.
//
// Here the real translation, ledger, worker and backend drive the simulated
// device in a bubble of testing/synctest: hours pass in milliseconds, and each
// call is counted.
package wounds_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/fault"
)

// backend is the name of the one device.
const backend = "bigip/dc1"

// resync is how often a controller reads all anew.
const resync = 5 * time.Minute

// device is a simulated BIG-IP that is called in this process, and its calls.
type device struct {
	*bigip.Device
	t      *testing.T
	faults fault.Rules

	mu    sync.Mutex
	calls []call
}

// call is one call of a controller.
type call struct {
	method, path string
	at           time.Time
}

func (c call) writes() bool {
	return c.method != http.MethodGet && strings.HasPrefix(c.path, "/mgmt/tm/")
}

func newDevice(t *testing.T, latency time.Duration) *device {
	t.Helper()
	d, err := bigip.New(bigip.Options{Partitions: []string{"web"}, Latency: latency})
	if err != nil {
		t.Fatal(err)
	}
	return &device{Device: d, t: t}
}

// RoundTrip is the way of all controllers to the device.
func (d *device) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	d.calls = append(d.calls, call{r.Method, r.URL.Path, time.Now()})
	d.mu.Unlock()
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.faults.Wrap(d.Handler(), fault.Effects{ForgetTokens: d.ForgetTokens}).ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// since are the calls from a time on, those that pass.
func (d *device) since(from time.Time, pass func(call) bool) []call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.calls), func(c call) bool { return c.at.Before(from) || !pass(c) })
}

func all(call) bool { return true }

// do is a call by somebody else.
func (d *device) do(method, path string, body map[string]any) {
	d.t.Helper()
	if status, answer := d.Do(method, "/mgmt/tm/"+path, body); status >= http.StatusBadRequest {
		d.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
}

// fail puts a fault in force, until it is mended.
func (d *device) fail(rule fault.Rule) (mend func() int) {
	d.t.Helper()
	id, err := d.faults.Add(rule)
	if err != nil {
		d.t.Fatal(err)
	}
	return func() int { return d.faults.Remove(id) }
}

// object is one as a GET shows it.
func (d *device) object(kind, path string) string {
	o, ok := d.Object(kind, path)
	if !ok {
		return "not there"
	}
	return fmt.Sprint(o)
}

// member is how a member of a pool stands: "enabled", "offline", or "not there".
func (d *device) member(pool, address string) string {
	o, ok := d.Object("ltm/pool/members", pool+" /Common/"+address+":8080")
	switch {
	case !ok:
		return "not there"
	case o["session"] == "user-disabled":
		return "offline"
	}
	return "enabled"
}

// enabled is how many members of a pool take clients.
func (d *device) enabled(pool string) int {
	n := 0
	for _, m := range d.Objects("ltm/pool/members", pool) {
		if o, ok := d.Object("ltm/pool/members", pool+" "+m); ok && o["session"] != "user-disabled" {
			n++
		}
	}
	return n
}

// standing are all objects of the kinds that we make, with the virtual
// addresses that the device makes for them.
func (d *device) standing() []string {
	var paths []string
	for _, kind := range []string{"ltm/virtual", "ltm/pool", "ltm/node", "ltm/virtual-address"} {
		for _, path := range d.Objects(kind, "") {
			paths = append(paths, kind+" "+path)
		}
	}
	return paths
}

// controller is one controller of a cluster.
type controller struct {
	t        *testing.T
	identity state.Identity
	config   *config.Config
	ledger   *ledger.Ledger
	worker   *apply.Worker
	stop     context.CancelFunc
	done     sync.WaitGroup

	mu      sync.Mutex
	reports map[state.Ref]apply.Report
}

// start starts a controller that leads.
func (d *device) start(cluster, uid string) *controller {
	d.t.Helper()
	conf, err := config.Parse(fmt.Appendf(nil, configuration, cluster))
	if err != nil {
		d.t.Fatal(err)
	}
	c := &controller{
		t: d.t, identity: state.Identity{Cluster: cluster, UID: uid}, config: conf,
		ledger: ledger.New(backend), reports: map[state.Ref]apply.Report{},
	}
	b, err := f5.New(f5.Options{
		Name: backend, Hosts: []string{"https://bigip"}, Identity: c.identity, Transport: d,
		Credentials: func() (user, password string, err error) { return "admin", "admin", nil },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	c.worker = apply.NewWorker(apply.Options{
		Backend: b, Ledger: c.ledger, Identity: c.identity, NodePartition: "Common", Concurrency: 4,
		Resync: resync, Drain: translate.DefaultDrain, Log: zap.NewNop(),
		Brake: apply.Brake{Percent: 30, Least: 10, Window: 10 * time.Minute},
		Report: func(r apply.Report) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.reports[r.Service] = r
		},
	})
	ctx, stop := context.WithCancel(d.t.Context())
	c.stop = stop
	c.done.Go(func() {
		if err := c.worker.Run(ctx); err != nil {
			d.t.Errorf("the worker: %v", err)
		}
	})
	c.worker.Act(true)
	return c
}

const configuration = `apiVersion: landbridge.dev/v1
kind: Config
cluster: %s
bigip: [{name: dc1, hosts: [https://bigip], credentialsDir: /credentials}]
addressPools: [{name: public, ranges: [203.0.113.0/24]}]
tenants: [{namespaces: [shop], partitions: [web], addressPools: [public], profiles: [/Common/*, /web/*], irules: [/web/*]}]
`

// end stops the controller, and waits until it has.
func (c *controller) end() {
	c.stop()
	c.done.Wait()
}

// service is a Service and its endpoints, each "ADDRESS", or "ADDRESS STATE"
// with unready or terminating.
type service struct {
	name, vip   string
	annotations map[string]string
	pods        []string
}

// pool is the path of its pool and virtual server, as cluster prod names them.
func (s service) pool() string { return "/web/lb_prod_shop_" + s.name + "_80" }

func (s service) ref() state.Ref { return state.Ref{Namespace: "shop", Name: s.name} }

// put lets a controller see a Service.
func (c *controller) put(s service) { c.see(s, false) }

// remove lets a controller see that somebody deletes a Service.
func (c *controller) remove(s service) { c.see(s, true) }

func (c *controller) see(s service, deleted bool) {
	c.t.Helper()
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: s.name, Annotations: map[string]string{
			translate.Prefix + "partition": "web", translate.Prefix + "virtual-address": s.vip,
		}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{"app": s.name}, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	for key, value := range s.annotations {
		svc.Annotations[translate.Prefix+key] = value
	}
	if deleted {
		svc.DeletionTimestamp = new(metav1.Now())
	}
	name, port, protocol := "", int32(8080), corev1.ProtocolTCP
	slice := &discoveryv1.EndpointSlice{
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
	}
	for _, pod := range s.pods {
		address, how, _ := strings.Cut(pod, " ")
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{address}, TargetRef: &corev1.ObjectReference{Kind: "Pod"},
			Conditions: discoveryv1.EndpointConditions{Ready: new(how == ""), Serving: new(how != "unready"), Terminating: new(how == "terminating")},
		})
	}
	result := translate.Service(translate.Input{Service: svc, Slices: []*discoveryv1.EndpointSlice{slice}}, translate.Policy{Config: c.config, Identity: c.identity})
	if len(result.Problems) > 0 {
		c.t.Errorf("%s: %v", s.name, result.Problems)
	}
	c.ledger.Put(result.Want, time.Time{})
}

// settled says whether a Service is as asked, and else why not.
func (c *controller) settled(s service) (settled bool, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.reports[s.ref()]
	if !ok {
		return false, "nothing was told"
	}
	if len(r.Problems) > 0 {
		reason = r.Problems[0].Reason + ": " + r.Problems[0].Message
	}
	return r.Settled && r.Revision == c.ledger.Revisions(s.ref())[backend], reason
}

// demand fails the test unless a Service is as asked.
func (c *controller) demand(services ...service) {
	c.t.Helper()
	for _, s := range services {
		if settled, reason := c.settled(s); !settled {
			c.t.Errorf("%s is not as asked: %s", s.name, reason)
		}
	}
}

// pass lets time pass, and waits until nothing moves.
func pass(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

// services are some, each with one pod.
func services(n int) []service {
	var all []service
	for i := range n {
		all = append(all, service{name: fmt.Sprintf("s%d", i), vip: fmt.Sprintf("203.0.113.%d", i+1), pods: []string{fmt.Sprintf("10.0.0.%d", i+1)}})
	}
	return all
}
