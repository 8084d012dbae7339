package report

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// What is written is decided by functions of a Service and how it stands; that
// the API server takes the patches for it is proven by scripts against one.

var (
	now    = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	before = metav1.NewTime(now.Add(-time.Hour))
)

func problem(reason, message string) state.Problem {
	return state.Problem{Service: state.Ref{Namespace: "shop", Name: "cart"}, Reason: reason, Message: message}
}

func TestCondition(t *testing.T) {
	t.Parallel()
	const fine, idle = "the outside holds what this Service asks for", "the virtual servers stand, and no endpoint takes clients"
	programmed := metav1.Condition{Type: Programmed, Status: metav1.ConditionTrue, Reason: "Programmed", Message: fine, LastTransitionTime: before}
	broken := metav1.Condition{Type: Programmed, Status: metav1.ConditionFalse, Reason: "NameTaken", Message: "is taken", LastTransitionTime: before}
	at := metav1.NewTime(now)
	for _, test := range []struct {
		name     string
		have     *metav1.Condition
		standing Standing
		want     metav1.Condition
		same     bool // nothing to write
	}{
		{
			name: "first, all as asked", standing: Standing{Members: 2},
			want: metav1.Condition{Type: Programmed, Status: metav1.ConditionTrue, Reason: "Programmed", Message: fine, LastTransitionTime: at},
		},
		{name: "still as asked, with another number of members", have: &programmed, standing: Standing{Members: 7}, same: true},
		{
			name: "no member takes clients: still true, and no transition", have: &programmed,
			want: metav1.Condition{Type: Programmed, Status: metav1.ConditionTrue, Reason: "NoMembers", Message: idle, LastTransitionTime: before},
		},
		{
			name: "a problem", have: &programmed, standing: Standing{Members: 2, Problems: []state.Problem{problem("NameTaken", "is taken")}},
			want: metav1.Condition{Type: Programmed, Status: metav1.ConditionFalse, Reason: "NameTaken", Message: "is taken", LastTransitionTime: at},
		},
		{name: "the same problem", have: &broken, standing: Standing{Problems: []state.Problem{problem("NameTaken", "is taken")}}, same: true},
		{
			name: "several: the reason of the first, each message once", have: &broken,
			standing: Standing{Problems: []state.Problem{problem("A", "one"), problem("B", "two"), problem("C", "one")}},
			want:     metav1.Condition{Type: Programmed, Status: metav1.ConditionFalse, Reason: "A", Message: "one; two", LastTransitionTime: before},
		},
		{
			name: "a warning takes nothing back", have: &programmed,
			standing: Standing{Members: 2, Warnings: []state.Problem{problem("Useless", "it does little")}},
			want:     metav1.Condition{Type: Programmed, Status: metav1.ConditionTrue, Reason: "Programmed", Message: fine + "; but it does little", LastTransitionTime: before},
		},
		{
			name: "and is not heard beside a problem", have: &broken, same: true,
			standing: Standing{Problems: []state.Problem{problem("NameTaken", "is taken")}, Warnings: []state.Problem{problem("Useless", "it does little")}},
		},
		{
			name: "solved", have: &broken, standing: Standing{Members: 1},
			want: metav1.Condition{Type: Programmed, Status: metav1.ConditionTrue, Reason: "Programmed", Message: fine, LastTransitionTime: at},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			svc := &corev1.Service{Status: corev1.ServiceStatus{Conditions: []metav1.Condition{{Type: "example.com/Other", Status: metav1.ConditionTrue}}}}
			if test.have != nil {
				svc.Status.Conditions = append(svc.Status.Conditions, *test.have)
			}
			r := New(nil, nil, func() time.Time { return now })
			got, changed := r.condition(svc, test.standing)
			if changed == test.same {
				t.Errorf("changed: %t", changed)
			}
			if diff := cmp.Diff(test.want, got); !test.same && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The API takes no message beyond its limit, and stores what is no UTF-8
// otherwise than it was sent: it would be written again for ever.
func TestMessageThatIsTooLong(t *testing.T) {
	t.Parallel()
	for _, value := range []string{strings.Repeat("x", 40000), strings.Repeat("ü", 20000), "x" + strings.Repeat("ü", 20000), "bad \xff byte"} {
		m := messageOf([]state.Problem{problem("BadAnnotation", value)})
		if len(m) > longestMessage || !utf8.ValidString(m) || len(m) < min(len(value), longestMessage)-4 {
			t.Errorf("%.10q…: %d bytes, valid: %t", value, len(m), utf8.ValidString(m))
		}
	}
}

func TestIngress(t *testing.T) {
	t.Parallel()
	proxy, vip := corev1.LoadBalancerIPModeProxy, corev1.LoadBalancerIPModeVIP
	of := func(mode *corev1.LoadBalancerIPMode, addresses ...string) []corev1.LoadBalancerIngress {
		var list []corev1.LoadBalancerIngress
		for _, a := range addresses {
			list = append(list, corev1.LoadBalancerIngress{IP: a, IPMode: mode})
		}
		return list
	}
	ours, theirs := translate.ClassBIGIP, "example.com/lb"
	const v4, v6, old = "203.0.113.20", "2001:db8:1::20", "203.0.113.9"
	for _, test := range []struct {
		name      string
		kind      corev1.ServiceType
		class     *string
		written   string // the annotation with the address
		have      []corev1.LoadBalancerIngress
		addresses []string
		amiss     bool // they do not stand as asked
		want      []corev1.LoadBalancerIngress
		leave     bool // not written
	}{
		{name: "of our class, both families", class: &ours, addresses: []string{v4, v6}, want: of(&proxy, v4, v6)},
		{name: "as it reads already", class: &ours, have: of(&proxy, v4), addresses: []string{v4}, leave: true},
		{name: "of our class, whatever stands there", class: &ours, have: of(&vip, old), addresses: []string{v4}, want: of(&proxy, v4)},
		{name: "a mode that was never written", class: &ours, have: of(nil, v4), addresses: []string{v4}, want: of(&proxy, v4)},
		{name: "without a class, and nothing there", addresses: []string{v4}, want: of(&proxy, v4)},
		{name: "without a class, and ours there", written: old, have: of(&proxy, old), addresses: []string{v4}, want: of(&proxy, v4)},
		{name: "without a class, written before the annotation was", have: of(&proxy, v4), addresses: []string{v4, v6}, want: of(&proxy, v4, v6)},
		{name: "without a class, and somebody's address there", have: of(&proxy, old), addresses: []string{v4}, leave: true},
		{name: "without a class, and somebody's address beside ours", written: v4, have: of(&proxy, v4, old), addresses: []string{v4}, leave: true},
		{name: "without a class, our address in somebody's mode", written: v4, have: of(&vip, v4), addresses: []string{v4}, leave: true},
		{name: "without a class, a cloud's mode-less address", have: of(nil, v4), addresses: []string{v4}, leave: true},
		{
			name: "without a class, a host name", written: v4, addresses: []string{v4}, leave: true,
			have: []corev1.LoadBalancerIngress{{Hostname: "lb.example.com", IP: v4, IPMode: &proxy}},
		},
		{name: "of another class: never a second writer", class: &theirs, written: v4, addresses: []string{v4}, leave: true},
		{name: "of another type", kind: corev1.ServiceTypeClusterIP, addresses: []string{v4}, leave: true},
		{name: "where addresses do not stand it stays as it is", class: &ours, have: of(&proxy, old), addresses: []string{v4}, amiss: true, leave: true},
		{name: "one address in two route domains", class: &ours, addresses: []string{v4, v6, v4}, want: of(&proxy, v4, v6)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			svc := &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{}},
				Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: test.class},
				Status:     corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: test.have}},
			}
			if test.kind != "" {
				svc.Spec.Type = test.kind
			}
			if test.written != "" {
				svc.Annotations[translate.AnnotationAddress] = test.written
			}
			s := Standing{Stand: !test.amiss, Problems: []state.Problem{problem("NoBroker", "something of another part")}}
			for _, a := range test.addresses {
				s.Addresses = append(s.Addresses, state.Address{IP: netip.MustParseAddr(a)})
			}
			got, differs := ingressOf(svc, s)
			if differs == test.leave {
				t.Errorf("to be written: %t", differs)
			}
			if diff := cmp.Diff(test.want, got); !test.leave && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The address is written once it stands, and taken away when there is none.
func TestAddressAnnotation(t *testing.T) {
	t.Parallel()
	const key = translate.AnnotationAddress
	v4 := []state.Address{{IP: netip.MustParseAddr("203.0.113.20")}}
	for _, test := range []struct {
		name     string
		have     map[string]string
		standing Standing
		want     map[string]any
	}{
		{"first", nil, Standing{Addresses: v4, Stand: true}, map[string]any{key: "203.0.113.20"}},
		{"whatever is wrong with other parts", nil, Standing{Addresses: v4, Stand: true, Problems: []state.Problem{problem("NoBroker", "")}}, map[string]any{key: "203.0.113.20"}},
		{"as it reads", map[string]string{key: "203.0.113.20"}, Standing{Addresses: v4, Stand: true}, map[string]any{}},
		{"not yet", nil, Standing{Addresses: v4}, map[string]any{}},
		{"held", map[string]string{key: "203.0.113.20"}, Standing{}, map[string]any{}},
		{"none any more", map[string]string{key: "203.0.113.20"}, Standing{Stand: true}, map[string]any{key: nil}},
		{"an empty one", map[string]string{key: ""}, Standing{Stand: true}, map[string]any{key: nil}},
		{"never any", nil, Standing{Stand: true}, map[string]any{}},
	} {
		got := annotationsOf(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: test.have}}, test.standing)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", test.name, diff)
		}
	}
}

// On leaving, only an ingress that is known to be ours is taken away.
func TestIngressOnLeaving(t *testing.T) {
	t.Parallel()
	proxy := corev1.LoadBalancerIPModeProxy
	svc := &corev1.Service{
		Spec:   corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "203.0.113.20", IPMode: &proxy}}}},
	}
	if ingressOurs(svc, nil) {
		t.Error("an address that no annotation of ours names is ours")
	}
	svc.Annotations = map[string]string{translate.AnnotationAddress: "203.0.113.20,2001:db8:1::20"}
	if !ingressOurs(svc, nil) {
		t.Error("an address that our annotation names is not ours")
	}
}

func TestTouched(t *testing.T) {
	t.Parallel()
	for name, svc := range map[string]*corev1.Service{
		"finalizer": {ObjectMeta: metav1.ObjectMeta{Finalizers: []string{"example.com/x", Finalizer}}},
		"observed":  {ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{translate.AnnotationObserved: ""}}},
		"address":   {ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{translate.AnnotationAddress: ""}}},
		"condition": {Status: corev1.ServiceStatus{Conditions: []metav1.Condition{{Type: Programmed}}}},
	} {
		if !Touched(svc) {
			t.Errorf("a Service with our %s is not touched", name)
		}
		if Claimed(svc) != (name == "finalizer") {
			t.Errorf("a Service with our %s is claimed: %t", name, Claimed(svc))
		}
	}
	others := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Finalizers: []string{"example.com/x"}, Annotations: map[string]string{translate.Prefix + "partition": "web"}},
		Status:     corev1.ServiceStatus{Conditions: []metav1.Condition{{Type: "example.com/Other"}}},
	}
	if Touched(others) || Claimed(others) {
		t.Error("a Service that only its user wrote to is touched")
	}
}

func TestNotAsAskedSince(t *testing.T) {
	t.Parallel()
	early, late := time.Unix(1_800_000_000, 0), time.Unix(1_800_000_100, 0)
	condition := func(kind string, status metav1.ConditionStatus, at time.Time) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, LastTransitionTime: metav1.NewTime(at)}
	}
	for _, test := range []struct {
		name       string
		conditions []metav1.Condition
		want       time.Time
	}{
		{"none", nil, time.Time{}},
		{"as asked", []metav1.Condition{condition(Programmed, metav1.ConditionTrue, early)}, time.Time{}},
		{"of others", []metav1.Condition{condition("example.com/Ready", metav1.ConditionFalse, early)}, time.Time{}},
		{"two parts", []metav1.Condition{condition(Programmed, metav1.ConditionFalse, late), condition(Announced, metav1.ConditionFalse, early)}, early},
	} {
		svc := &corev1.Service{Status: corev1.ServiceStatus{Conditions: test.conditions}}
		if got := NotAsAskedSince(svc); !got.Equal(test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
