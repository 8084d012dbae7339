package translate_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

func careful(c *config.Config) {
	for i := range c.Tenants {
		c.Tenants[i].Approval = "required"
		c.Tenants[i].VMCIDRs = []string{"10.20.0.0/16"}
	}
}

// hashOf is the hash that a Service has to have approved.
func hashOf(t *testing.T, svc *corev1.Service, slices ...*discoveryv1.EndpointSlice) string {
	t.Helper()
	a := translate.Service(translate.Input{Service: svc, Slices: slices}, policy(t, careful)).Want.Approval
	if a == nil {
		t.Fatal("nothing waits for approval")
	}
	return a.Hash
}

func TestApprovalIsOfWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	before := hashOf(t, service())
	for name, same := range map[string]*corev1.Service{
		"again":               service(),
		"an approval":         service(with("approved", strings.Repeat("0", 32))),
		"a foreign key":       service(func(s *corev1.Service) { s.Annotations["example.com/team"] = "shop" }),
		"what we wrote":       service(with("address", "203.0.113.20"), with("observed", "0123")),
		"required by itself":  service(with("approval", "required")),
		"a default spelt out": service(with("snat", "automap")),
	} {
		if hashOf(t, same) != before {
			t.Errorf("%s: another hash, with nothing else asked for", name)
		}
	}
	seen := map[string]string{before: "nothing"}
	for name, other := range map[string]*corev1.Service{
		"address":         service(with("virtual-address", "203.0.113.21")),
		"partition":       service(with("partition", "api")),
		"port":            service(ports(port("", 81, corev1.ProtocolTCP))),
		"mode":            service(with("load-balancing-mode", "least-connections-member")),
		"monitor":         service(with("monitor", "none")),
		"snat":            service(with("snat", "none")),
		"queue":           service(with("mq-consume", "orders")),
		"VMs":             service(with("vm-members", "10.20.0.5:80"), with("pod-share", "0")),
		"share":           service(with("vm-members", "10.20.0.5:80"), with("pod-share", "5")),
		"fallback":        service(with("vm-members", "10.20.0.5:80"), with("pod-share", "5"), with("fallback", "none")),
		"another":         service(func(s *corev1.Service) { s.Name = "other" }),
		"what is left":    service(with("deletion-policy", "orphan")),
		"opting out":      service(with("partition", "-"), with("virtual-address", "-"), with("approval", "required")),
		"orphaned":        service(with("partition", "-"), with("virtual-address", "-"), with("deletion-policy", "orphan")),
		"several options": service(with("snat", "none"), with("monitor", "none")),
	} {
		h := hashOf(t, other)
		if twin, twice := seen[h]; twice {
			t.Errorf("%s has the hash of %s", name, twin)
		}
		seen[h] = name
	}
}

// Pods come and go without an approval.
func TestApprovalIsNotOfMembers(t *testing.T) {
	t.Parallel()
	if hashOf(t, service(), slice(pod("10.1.0.1", isReady))) != hashOf(t, service(), slice(pod("10.1.0.1", isReady), pod("10.1.0.2", notReady))) {
		t.Error("another pod is another plan")
	}
}

func TestApproved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		service *corev1.Service
		policy  translate.Policy
		waits   bool
		reason  string
	}{
		"nobody asks for it":           {service(), policy(t), false, ""},
		"the tenant does":              {service(), policy(t, careful), true, "ApprovalRequired"},
		"the Service does":             {service(with("approval", "required")), policy(t), true, "ApprovalRequired"},
		"another tenant does":          {service(), policy(t, func(c *config.Config) { c.Tenants[1].Approval = "required" }), false, ""},
		"one entry of several does":    {service(in("shop-a"), with("partition", "edge")), policy(t, func(c *config.Config) { c.Tenants[2].Approval = "required" }), true, "ApprovalRequired"},
		"it is given":                  {service(with("approved", hashOf(t, service()))), policy(t, careful), false, ""},
		"it is given for what was":     {service(with("approved", hashOf(t, service())), with("snat", "none")), policy(t, careful), true, "ApprovalStale"},
		"it is another Service's":      {service(with("approved", hashOf(t, service(func(s *corev1.Service) { s.Name = "other" })))), policy(t, careful), true, "ApprovalStale"},
		"it speaks not to us":          {service(with("partition", "-"), with("virtual-address", "-")), policy(t), false, ""},
		"it is no hash":                {service(with("approved", "yes")), policy(t, careful), true, "ApprovalStale"},
		"the configuration is paused":  {service(), policy(t, careful, func(c *config.Config) { c.Paused = true }), false, ""},
		"it says so in another manner": {service(with("approval", "yes")), policy(t), false, ""},
	} {
		a := translate.Service(translate.Input{Service: c.service}, c.policy).Want.Approval
		switch {
		case (a != nil) != c.waits:
			t.Errorf("%s: waits %t, want %t", name, a != nil, c.waits)
		case a != nil && a.Problem(state.Ref{}).Reason != c.reason:
			t.Errorf("%s: %s, want %s", name, a.Problem(state.Ref{}).Reason, c.reason)
		}
	}
}

// What is announced is held as it is remembered, and is not announced before.
func TestApprovalHoldsRoutes(t *testing.T) {
	t.Parallel()
	required := func(c *config.Config) { c.Tenants[0].Approval = "required" }
	asked := translate.Service(routedInput(onNodes(with("bgp-med", "5"))), routing(t))
	if asked.LastGood == "" || !announces(asked) {
		t.Fatalf("nothing is announced without approval: %v", asked.Problems)
	}
	news := translate.Service(routedInput(onNodes(with("bgp-med", "5"))), routing(t, required))
	if announces(news) || news.LastGood != "" || !has(news.Problems, "ApprovalRequired") {
		t.Errorf("announced without approval: %v, remembers %q, %v", news.Want.Objects, news.LastGood, news.Problems)
	}
	approved := translate.Service(routedInput(onNodes(with("bgp-med", "5"), with("approved", news.Want.Approval.Hash))), routing(t, required))
	if !announces(approved) || approved.LastGood != asked.LastGood || len(approved.Problems) > 0 {
		t.Errorf("not announced with approval: %v, %v", approved.Want.Objects, approved.Problems)
	}
	changed := onNodes(with("bgp-med", "6"), with("approved", news.Want.Approval.Hash))
	changed.Annotations[translate.AnnotationLastGood] = translate.WithLastGoodRoutes(changed, asked.LastGood)
	held := translate.Service(routedInput(changed), routing(t, required))
	if !announces(held) || held.LastGood != asked.LastGood || held.Want.Routes != state.Hold || !has(held.Problems, "ApprovalStale") {
		t.Errorf("with a stale approval: %v, remembers %q, %v", held.Want.Objects, held.LastGood, held.Problems)
	}
	gone := changed.DeepCopy()
	gone.Spec.LoadBalancerClass, gone.Annotations[translate.Prefix+"bgp-med"] = nil, ""
	delete(gone.Annotations, translate.Prefix+"bgp-med")
	delete(gone.Annotations, translate.Prefix+"virtual-address")
	leaving := translate.Service(routedInput(gone), routing(t, required))
	if leaving.Addressed || !announces(leaving) || !has(leaving.Problems, "ApprovalStale") {
		t.Errorf("opting out: %v, %v", leaving.Want.Objects, leaving.Problems)
	}
}

func routedInput(svc *corev1.Service) translate.Input {
	return translate.Input{Service: svc, Slices: []*discoveryv1.EndpointSlice{slice(pod("10.1.0.1", isReady))}, Nodes: []*corev1.Node{node("node-a", "192.0.2.1")}}
}

func announces(r translate.Result) bool {
	return slices.ContainsFunc(r.Want.Objects, func(o state.Object) bool { return o.ID().Kind == state.KindRoute })
}

func has(problems []state.Problem, reason string) bool {
	return slices.ContainsFunc(problems, func(p state.Problem) bool { return p.Reason == reason })
}
