package translate_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/translate"
)

// registering lets VMs of orders-vm register in shop, in two networks by two
// entries.
func registering(c *config.Config) {
	c.MQ = &config.MQ{URLs: []string{"amqps://mq.example.com"}, VMVhost: "/"}
	c.Tenants[0].VMUsers, c.Tenants[0].VMCIDRs = []string{"orders-*"}, []string{"10.20.0.0/16"}
	c.Tenants = append(c.Tenants, config.Tenant{Namespaces: []string{"shop"}, VMUsers: []string{"till-vm"}, VMCIDRs: []string{"10.30.0.0/16"}})
}

func TestVMs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		svc     *corev1.Service
		change  func(*config.Config)
		asked   bool
		held    bool
		users   string // by entry
		problem string
	}{
		{name: "nothing of VMs", svc: service(), change: registering},
		{name: "a granted user", svc: service(with("vm-registry", "orders-vm")), change: registering, asked: true, users: "orders-vm"},
		{name: "users of two entries", svc: service(with("vm-registry", "orders-vm, till-vm")), change: registering, asked: true, users: "orders-vm; till-vm"},
		{
			name: "a user of nobody", svc: service(with("vm-registry", "orders-vm,bank")), change: registering, asked: true, held: true, users: "orders-vm",
			problem: "NotGranted: landbridge.dev/vm-registry: no tenant's entry allows namespace shop the user bank together with networks for VMs (vmUsers, vmCIDRs); vmUsers are: orders-*, till-vm",
		},
		{
			name: "no broker", svc: service(with("vm-registry", "orders-vm")), change: func(*config.Config) {}, asked: true, held: true,
			problem: "NoBroker",
		},
		{
			name: "a port where there is none", svc: service(with("vm-registry.80", "orders-vm")), change: registering, asked: true,
			problem: "BadAnnotation: landbridge.dev/vm-registry.80: vm-registry holds for the whole Service and takes no port",
		},
		{
			name: "an empty list", svc: service(with("vm-registry", ",")), change: registering, asked: true, held: true,
			problem: "BadAnnotation: landbridge.dev/vm-registry: ",
		},
		{
			name: "in the cluster, and no registry", svc: service(with("vm-in-cluster", "true")), change: registering, asked: true,
			problem: "NotOptedIn: landbridge.dev/vm-in-cluster is about registered VMs",
		},
		{
			name: "probed, and no registry", svc: service(with("vm-probe", "tcp")), change: registering, asked: true,
			problem: "NotOptedIn: landbridge.dev/vm-probe is about registered VMs",
		},
		{
			name: "told of endpoints that there are not", change: registering, asked: true,
			svc:     service(with("mq-announce", "true"), func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName }),
			problem: "ExternalName: landbridge.dev/mq-announce: a Service of type ExternalName has no endpoints that VMs could be told of",
		},
		{
			name: "in the cluster, behind node ports", svc: service(with("vm-registry", "orders-vm"), with("vm-in-cluster", "true"), with("member-type", "nodeport")),
			change: registering, asked: true, held: true, users: "orders-vm", problem: "BadAnnotation: landbridge.dev/vm-in-cluster: a node port would then lead to VMs too",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := translate.VMs(translate.Input{Service: tc.svc}, policy(t, tc.change))
			var problems, users []string
			for _, p := range got.Problems {
				problems = append(problems, p.Reason+": "+p.Message)
			}
			if got.Registry != nil {
				for _, g := range got.Registry.Grants {
					users = append(users, strings.Join(g.Users, ","))
				}
			}
			told := strings.Join(problems, "\n")
			if got.Announced {
				t.Error("VMs are told of what is wrong, or not asked for")
			}
			if got.Asked != tc.asked || (got.Registry != nil && got.Registry.Held) != tc.held || strings.Join(users, "; ") != tc.users ||
				(tc.problem == "") != (told == "") || !strings.Contains(told, tc.problem) {
				t.Errorf("asked %v, registry %+v, problems %q", got.Asked, got.Registry, told)
			}
		})
	}
}

// VMs are told nothing else while nothing is changed.
func TestVMsOfAPausedService(t *testing.T) {
	t.Parallel()
	for _, paused := range []string{"all", " all ", "config"} {
		svc := service(with("mq-announce", "true"), with("paused", paused))
		if got := translate.VMs(translate.Input{Service: svc}, policy(t, registering)); got.Still != (paused != "config") || !got.Announced {
			t.Errorf("paused: %q: %+v", paused, got)
		}
	}
	planned := func(c *config.Config) { registering(c); c.Mode = config.ModePlan }
	if got := translate.VMs(translate.Input{Service: service(with("mq-announce", "true"))}, policy(t, planned)); !got.Still {
		t.Errorf("mode plan: %+v", got)
	}
}

// slices with VMs tell nothing of the pods': a Service whose own slices are not
// seen stays as it stands.
func TestVMsAreNoPods(t *testing.T) {
	t.Parallel()
	svc := service(with("vm-registry", "orders-vm"), func(s *corev1.Service) {
		s.Spec.Selector = map[string]string{"app": "cart"}
		s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
		s.Finalizers = []string{translate.Finalizer}
	})
	number := int32(8080)
	vms := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "cart-vms", Labels: map[string]string{translate.LabelService: "cart"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Port: &number}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.20.0.5"}, TargetRef: &corev1.ObjectReference{Kind: "VM", Name: "vm-1"}}},
	}
	p := policy(t, registering)
	got := translate.Service(translate.Input{Service: svc, Slices: []*discoveryv1.EndpointSlice{vms}}, p)
	if len(got.Problems) != 1 || got.Problems[0].Reason != "NoEndpointSlices" {
		t.Errorf("problems: %v", got.Problems)
	}
	announced := translate.Announcement(translate.Input{Service: svc, Slices: []*discoveryv1.EndpointSlice{vms}}, p)
	if len(announced.Ports) != 1 || len(announced.Ports[0].Endpoints) != 1 || !announced.Ports[0].Endpoints[0].VM {
		t.Errorf("announced: %+v", announced)
	}
	vms.Endpoints[0].Addresses = []string{"10.99.0.5"}
	if a := translate.Announcement(translate.Input{Service: svc, Slices: []*discoveryv1.EndpointSlice{vms}}, p); len(a.Ports[0].Endpoints) != 0 {
		t.Errorf("an address that no tenant has for VMs is announced: %+v", a)
	}
}
