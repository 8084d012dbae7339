package translate_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

func selecting(s *corev1.Service) { s.Spec.Selector = map[string]string{"app": "cart"} }

func reportedOn(s *corev1.Service) { s.Annotations[translate.AnnotationObserved] = "0123456789abcdef" }

func claimed(s *corev1.Service) { s.Finalizers = []string{translate.Finalizer} }

// A list of endpoints that is not there is not an empty one.
func TestNoSlices(t *testing.T) {
	t.Parallel()
	const lost = "NoEndpointSlices: the cluster shows no EndpointSlice of this Service, although it has a selector; what stands outside stays until it does"
	empty := []*discoveryv1.EndpointSlice{slice()}
	whole := []string{"pool /web/lb_prod_shop_cart_80", "virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1"}
	for _, test := range []struct {
		name   string
		svc    *corev1.Service
		slices []*discoveryv1.EndpointSlice
		want   expect
	}{
		{name: "a selector, and no slice: nothing changes, and it is said", svc: service(selecting, reportedOn), want: expect{Mode: "still", Problems: []string{lost}}},
		{name: "nor where it was not reported on yet", svc: service(selecting, claimed), want: expect{Mode: "still", Problems: []string{lost}}},
		{name: "a new Service, whose slice comes in a moment, needs no word", svc: service(selecting), want: expect{Mode: "still"}},
		{name: "a selector, and an empty slice: no endpoints", svc: service(selecting, reportedOn), slices: empty, want: expect{Mode: "follow", Objects: whole}},
		{name: "no selector, and no slice: no endpoints", svc: service(reportedOn), want: expect{Mode: "follow", Objects: whole}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			same(t, test.want, told(translate.Service(translate.Input{Service: test.svc, Slices: test.slices}, policy(t))))
		})
	}
	gone := service(selecting, reportedOn)
	gone.DeletionTimestamp = &metav1.Time{}
	if r := translate.Service(translate.Input{Service: gone}, policy(t)); r.Want.Mode != state.Follow || !r.Want.Deleted {
		t.Errorf("a deleted Service without slices is in mode %s", r.Want.Mode)
	}
}

// Endpoints that turned unready only because their nodes did stay, where they
// are more than a third: a cluster that loses sight of its nodes has not lost
// its pods.
func TestNodesOutOfSight(t *testing.T) {
	t.Parallel()
	nodes := []*corev1.Node{node("n1", "192.0.2.1", unready), node("n2", "192.0.2.2"), node("n3", "192.0.2.3", silent)}
	for _, test := range []struct {
		name string
		pods []discoveryv1.Endpoint
		want []string
	}{
		{
			name: "a third: as their conditions say",
			pods: []discoveryv1.Endpoint{podOn("n1", "10.0.0.1", notReady), podOn("n2", "10.0.0.2", isReady), podOn("n2", "10.0.0.3", isReady)},
			want: []string{"10.0.0.1:8080 offline", "10.0.0.2:8080", "10.0.0.3:8080"},
		},
		{
			name: "more than a third: they stay",
			pods: []discoveryv1.Endpoint{podOn("n1", "10.0.0.1", notReady), podOn("n2", "10.0.0.2", isReady), podOn("n3", "10.0.0.3", notReady)},
			want: []string{"10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"},
		},
		{
			name: "one whose node is ready is unready for its own sake",
			pods: []discoveryv1.Endpoint{podOn("n1", "10.0.0.1", notReady), podOn("n2", "10.0.0.2", notReady)},
			want: []string{"10.0.0.1:8080", "10.0.0.2:8080 offline"},
		},
		{
			name: "one that is terminating goes",
			pods: []discoveryv1.Endpoint{podOn("n1", "10.0.0.1", notReady), podOn("n1", "10.0.0.2", left)},
			want: []string{"10.0.0.1:8080", "10.0.0.2:8080 offline terminating"},
		},
		{
			name: "a node that is not there says nothing",
			pods: []discoveryv1.Endpoint{podOn("n9", "10.0.0.1", notReady)},
			want: []string{"10.0.0.1:8080 offline"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := translate.Service(translate.Input{Service: service(selecting), Nodes: nodes, Slices: []*discoveryv1.EndpointSlice{slice(test.pods...)}}, policy(t))
			same(t, test.want, members(t, r))
		})
	}
}

// A node is in sight again before its kubelet has said that its pods are ready:
// meanwhile they stay as they are on the device, for half a minute. One that
// has just come for the first time was not out of sight.
func TestNodesBackInSight(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		ago   time.Duration // that the node became ready
		age   time.Duration // that it had then
		stays bool
	}{
		{time.Second, time.Hour, true},
		{29 * time.Second, time.Hour, true},
		{30 * time.Second, time.Hour, false},
		{time.Second, 21 * time.Second, true},
		{time.Second, 20 * time.Second, false}, // it had not been ready before
		{time.Second, 0, false},
	} {
		ago, stays := test.ago, test.stays
		nodes := []*corev1.Node{node("n1", "192.0.2.1"), node("n2", "192.0.2.2", unready)}
		nodes[0].Status.Conditions[1].LastTransitionTime = metav1.NewTime(now.Add(-ago))
		nodes[0].CreationTimestamp = metav1.NewTime(now.Add(-ago - test.age))
		pods := slice(podOn("n1", "10.0.0.1", notReady), podOn("n1", "10.0.0.2", isReady), podOn("n1", "10.0.0.3", isReady), podOn("n1", "10.0.0.4", isReady))
		r := translate.Service(translate.Input{Service: service(selecting), Nodes: nodes, Slices: []*discoveryv1.EndpointSlice{pods}, Now: now}, policy(t))
		for _, m := range r.Want.Objects[0].(*state.Pool).Members[:1] {
			if m.Admin != state.Offline || m.Stays != stays {
				t.Errorf("%s ago, at the age of %s: %+v, want offline, staying as it is: %t", ago, test.age, m, stays)
			}
		}
		if again := now.Add(30*time.Second - ago); stays != r.Again.Equal(again) {
			t.Errorf("%s ago, at the age of %s: looks again at %s", ago, test.age, r.Again)
		}
	}
}

func TestDeletionPolicy(t *testing.T) {
	t.Parallel()
	for value, orphan := range map[string]bool{"orphan": true, "delete": false, "-": false} {
		svc := service(with("deletion-policy", value))
		if r := translate.Service(translate.Input{Service: svc}, policy(t)); r.Want.Orphan || r.Want.Mode != state.Follow {
			t.Errorf("%s, while it lives: orphan %t, mode %s", value, r.Want.Orphan, r.Want.Mode)
		}
		svc.DeletionTimestamp = &metav1.Time{}
		if r := translate.Service(translate.Input{Service: svc}, policy(t)); r.Want.Orphan != orphan || !r.Want.Deleted {
			t.Errorf("%s, deleted: orphan %t", value, r.Want.Orphan)
		}
	}
	// A Service opts out by taking back what it asked for; how to leave stays.
	leaver := service(with("partition", "-"), with("virtual-address", "-"), with("deletion-policy", "orphan"))
	if r := translate.Service(translate.Input{Service: leaver}, policy(t)); r.Addressed || !r.Want.Orphan || len(r.Problems) > 0 {
		t.Errorf("opted out: addressed %t, orphan %t, %v", r.Addressed, r.Want.Orphan, r.Problems)
	}
	r := translate.Service(translate.Input{Service: service(with("deletion-policy", "keep"))}, policy(t))
	same(t, expect{
		Mode: "hold", Problems: []string{`BadAnnotation: landbridge.dev/deletion-policy: "keep" must be delete or orphan`},
		Objects: []string{"pool /web/lb_prod_shop_cart_80", "pool /web/lb_prod_shop_cart_80_v6", "virtual /web/lb_prod_shop_cart_80 on 203.0.113.20:80/tcp of bigip/dc1"},
	}, told(r))
}

// A bad address holds the settings, and members go on following: the pool that
// stands must not empty with the next rollout.
func TestHeldServicesFollowTheirEndpoints(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"203.0.113.x", "192.0.2.99", "-", "203.0.113.20,203.0.113.21"} {
		svc := service(with("virtual-address", bad))
		r := translate.Service(translate.Input{Service: svc, Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))}}, policy(t))
		if r.Want.Mode != state.Hold {
			t.Errorf("%q: mode %s", bad, r.Want.Mode)
		}
		if p, ok := r.Want.Objects[0].(*state.Pool); !ok || p.Path != "/web/lb_prod_shop_cart_80" || len(p.Members) != 1 {
			t.Errorf("%q: first of %v is no pool with the pod", bad, r.Want.Objects)
		}
	}
}

// Of a dual-stack Service the slices of one family may be lost alone.
func TestOneFamilyWithoutSlices(t *testing.T) {
	t.Parallel()
	svc := service(selecting)
	svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}
	r := translate.Service(translate.Input{Service: svc, Slices: []*discoveryv1.EndpointSlice{slice(pod("10.0.0.1", isReady))}}, policy(t))
	if r.Want.Mode != state.Still {
		t.Errorf("mode %s, want still", r.Want.Mode)
	}
}

func TestNodePortsWithoutAnyNode(t *testing.T) {
	t.Parallel()
	r := translate.Service(translate.Input{Service: service(nodePorts, with("member-type", "nodeport"))}, policy(t))
	if r.Want.Mode != state.Still || len(r.Want.Objects) > 0 {
		t.Errorf("mode %s, objects %v; want nothing to change", r.Want.Mode, r.Want.Objects)
	}
}

// A load-balancer class, ours of either kind, is not taken away by annotations.
func TestLeavingAClass(t *testing.T) {
	t.Parallel()
	for _, class := range []string{translate.ClassBIGIP, translate.ClassBGP} {
		svc := service(func(s *corev1.Service) { s.Spec.LoadBalancerClass = &class })
		if _, err := translate.Leaving(svc, false); err == nil || !strings.Contains(err.Error(), class) {
			t.Errorf("%s: %v", class, err)
		}
	}
	left, err := translate.Leaving(service(with("drain-timeout", "5s")), true)
	if err != nil || translate.Addressed(left) || left.Annotations[translate.Prefix+"deletion-policy"] != "orphan" || left.Annotations[translate.Prefix+"drain-timeout"] != "5s" {
		t.Errorf("%v, %v", left, err)
	}
}
