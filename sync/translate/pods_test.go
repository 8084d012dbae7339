package translate_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/config"
	"landbridge.dev/sync/translate"
)

// podOption changes the Pod of a test.
type podOption func(*corev1.Pod)

// gated is a Pod with our gate that lacks only that.
func gated(options ...podOption) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p", UID: "1234", Labels: map[string]string{"app": "cart"}},
		Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: translate.PodGate}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	says(corev1.ContainersReady, "True", "")(p)
	says(corev1.PodReady, "False", "ReadinessGatesNotReady")(p)
	for _, o := range options {
		o(p)
	}
	return p
}

// says sets a condition.
func says(kind corev1.PodConditionType, status corev1.ConditionStatus, reason string) podOption {
	return func(p *corev1.Pod) {
		c := corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: "m"}
		for i := range p.Status.Conditions {
			if p.Status.Conditions[i].Type == kind {
				p.Status.Conditions[i] = c
				return
			}
		}
		p.Status.Conditions = append(p.Status.Conditions, c)
	}
}

func alsoGated(p *corev1.Pod) {
	p.Spec.ReadinessGates = append(p.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: "example.com/warm"})
}

func TestPodOf(t *testing.T) {
	t.Parallel()
	now := metav1.Now()
	for _, test := range []struct {
		name               string
		pod                *corev1.Pod
		ours, ready, opens bool
	}{
		{name: "lacks only the gate", pod: gated(), ours: true, ready: true},
		{name: "no gate", pod: gated(func(p *corev1.Pod) { p.Spec.ReadinessGates = nil })},
		{name: "the gate of another", pod: gated(func(p *corev1.Pod) { p.Spec.ReadinessGates = nil }, alsoGated)},
		{name: "has ended", pod: gated(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })},
		{name: "its containers are not ready", pod: gated(says(corev1.ContainersReady, "False", "")), ours: true},
		{name: "nothing is known yet", pod: gated(func(p *corev1.Pod) { p.Status.Conditions = nil }), ours: true},
		{name: "another gate is not open", pod: gated(alsoGated), ours: true},
		{name: "another gate is open", pod: gated(alsoGated, says("example.com/warm", "True", "")), ours: true, ready: true},
		{name: "deleted", pod: gated(func(p *corev1.Pod) { p.DeletionTimestamp = &now }), ours: true},
		{name: "its node is lost", pod: gated(says(corev1.PodReady, "False", "NodeNotReady")), ours: true},
		{name: "waiting", pod: gated(says(translate.PodGate, "False", "Waiting")), ours: true, ready: true},
		{name: "open, and nobody has noticed", pod: gated(says(translate.PodGate, "True", "InPlace")), ours: true, ready: true, opens: true},
		{name: "open and ready", pod: gated(says(translate.PodGate, "True", "InPlace"), says(corev1.PodReady, "True", "")), ours: true, ready: true, opens: true},
		{name: "open, and its node lost since", pod: gated(says(translate.PodGate, "True", "InPlace"), says(corev1.PodReady, "False", "")), ours: true, opens: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, ours := translate.PodOf(test.pod)
			if ours != test.ours || p.Ready != test.ready || p.Open() != test.opens {
				t.Errorf("ours %t, ready %t, open %t", ours, p.Ready, p.Open())
			}
			if ours && (p.Ref.String() != "shop/p" || p.UID != "1234" || p.Labels["app"] != "cart") {
				t.Errorf("%+v", p)
			}
		})
	}
}

// behind are Pods by name, as translate takes them.
func behind(t *testing.T, list ...*corev1.Pod) map[string]translate.Pod {
	t.Helper()
	pods := map[string]translate.Pod{}
	for _, p := range list {
		read, ours := translate.PodOf(p)
		if !ours {
			t.Fatal("not a Pod of ours")
		}
		pods[p.Name] = read
	}
	return pods
}

// A Pod that lacks only its gate takes clients at its member, although its
// slice says that it is not ready, and its members are awaited.
func TestGates(t *testing.T) {
	t.Parallel()
	const p80, p81 = "bigip/dc1 member /web/lb_prod_shop_cart_80 10.0.0.1:8080", "bigip/dc1 member /web/lb_prod_shop_cart_81 10.0.0.1:8081"
	two := []serviceOption{ports(port("a", 80, "TCP"), port("b", 81, "TCP"))}
	both := slicePorts(slicePort("a", 8080, "TCP"), slicePort("b", 8081, "TCP"))
	both.Endpoints = []discoveryv1.Endpoint{pod("10.0.0.1", notReady)}
	for _, test := range []struct {
		name    string
		svc     *corev1.Service
		slices  []*discoveryv1.EndpointSlice
		pod     *corev1.Pod
		members []string // those awaited
		gates   int
		enabled bool
	}{
		{name: "it waits", svc: service(), pod: gated(), members: []string{p80}, gates: 1, enabled: true},
		{name: "with a member for each port", svc: service(two...), slices: []*discoveryv1.EndpointSlice{both}, pod: gated(), members: []string{p80, p81}, gates: 1, enabled: true},
		{name: "also where it is published not ready", svc: service(), slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))}, pod: gated(), members: []string{p80}, gates: 1, enabled: true},
		{name: "its containers are not ready", svc: service(), pod: gated(says(corev1.ContainersReady, "False", ""))},
		{name: "it is open, and its slice does not know yet", svc: service(), pod: gated(says(translate.PodGate, "True", "")), enabled: true},
		{name: "it leaves", svc: service(), slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", left))}, pod: gated()},
		{name: "held, it follows", svc: service(with("drain-timeout", "x")), pod: gated(), members: []string{p80}, gates: 1, enabled: true},
		{name: "frozen, no member comes", svc: service(with("member-type", "x")), pod: gated()},
		{name: "paused", svc: service(with("paused", "all")), pod: gated()},
		{name: "with node ports it has no member", svc: service(nodePorts, with("member-type", "nodeport")), pod: gated(), gates: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := translate.Input{Service: test.svc, Slices: test.slices, Pods: behind(t, test.pod), Nodes: []*corev1.Node{node("n1", "172.18.0.1")}}
			if in.Slices == nil {
				in.Slices = []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", notReady))}
			}
			r := translate.Service(in, policy(t))
			var got []string
			for _, id := range r.Want.Awaited {
				got = append(got, id.String())
			}
			same(t, test.members, got)
			if len(r.Gates) != test.gates {
				t.Errorf("gates %+v", r.Gates)
			}
			for _, o := range told(r).Objects {
				if enabled := o == "pool /web/lb_prod_shop_cart_80, 10.0.0.1:8080"; enabled && !test.enabled {
					t.Errorf("it takes clients: %s", o)
				}
			}
		})
	}
}

func TestWithoutPodsNothingIsAwaited(t *testing.T) {
	t.Parallel()
	r := translate.Service(translate.Input{Service: service(), Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", notReady))}}, policy(t, func(*config.Config) {}))
	same(t, []string{"10.0.0.1:8080 offline"}, members(t, r))
	if r.Gates != nil || r.Want.Awaited != nil {
		t.Errorf("%+v", r.Gates)
	}
}
