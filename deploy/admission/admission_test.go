package admission_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"landbridge.dev/config/annotation"
	"landbridge.dev/deploy/admission"
	"landbridge.dev/testenv/kube"
	"landbridge.dev/testenv/netns"
)

func TestMain(m *testing.M) {
	netns.Main(m, netns.Options{Prepare: func(ctx context.Context) error {
		_, err := kube.Build(ctx, os.Stderr)
		return err
	}})
}

// The policy, in an API server, against the checks that the controller makes.
func TestPolicy(t *testing.T) {
	t.Parallel()
	cp, err := kube.Start(t.Context(), kube.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := services{cp.Client()}
	s.install(t)
	t.Run("examples", s.testExamples)
	t.Run("keys", s.testKeys)
	t.Run("unchanged", s.testUnchanged)
	t.Run("any value", s.testAnyValue)
}

// services tries Services out on an API server with the policy.
type services struct{ client kubernetes.Interface }

// try asks whether a Service with these annotations would be taken, and what
// the policy says if not.
func (s services) try(ctx context.Context, annotations map[string]string) (refused string, err error) {
	_, err = s.client.CoreV1().Services("default").Create(ctx, service(annotations), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "ValidatingAdmissionPolicy") {
		return err.Error(), nil
	}
	return "", err
}

func service(annotations map[string]string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Annotations: annotations},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

// install waits until the API server heeds the policy.
func (s services) install(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	named := metav1.ObjectMeta{Name: "landbridge"}
	policies := s.client.AdmissionregistrationV1()
	policy, err := policies.ValidatingAdmissionPolicies().Create(ctx, &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: named, Spec: admission.Spec()}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = policies.ValidatingAdmissionPolicyBindings().Create(ctx, &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: named,
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: policy.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		refused, err := s.try(ctx, map[string]string{annotation.Prefix + "colour": "red"})
		if err != nil {
			t.Fatal(err)
		}
		if refused != "" {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("the policy is not heeded")
		}
	}
}

// Each bad value is refused at once, with its key, and no good one.
func (s services) testExamples(t *testing.T) {
	raw, err := os.ReadFile("../../config/annotation/testdata/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct{ Good, Bad []string }
	if err := yaml.UnmarshalStrict(raw, &all); err != nil {
		t.Fatal(err)
	}
	for key, values := range all {
		for _, v := range values.Good {
			if refused, err := s.try(t.Context(), map[string]string{annotation.Prefix + key: v}); err != nil || refused != "" {
				t.Errorf("%s: %q is refused: %s %v", key, v, refused, err)
			}
		}
		for _, v := range values.Bad {
			refused, err := s.try(t.Context(), map[string]string{annotation.Prefix + key: v})
			if err != nil || !strings.Contains(refused, annotation.Prefix+key+": ") {
				t.Errorf("%s: %q is let pass, or refused with other words: %s %v", key, v, refused, err)
			}
		}
	}
}

func (s services) testKeys(t *testing.T) {
	for _, test := range []struct {
		key, value, want string
	}{
		{"monitor.http", "tcp", ""},
		{"monitor.53-udp", "udp", ""},
		{"monitor.http", "icmp", `landbridge.dev/monitor.http: "icmp" must be tcp, udp, http METHOD /PATH`},
		{"paused.http", "all", "landbridge.dev/paused.http: takes no port"},
		{"virtual-adddress", "203.0.113.1", "landbridge.dev/virtual-adddress is no annotation of Landbridge"},
		{"address", "203.0.113.1", ""}, // written by the controller
	} {
		refused, err := s.try(t.Context(), map[string]string{annotation.Prefix + test.key: test.value})
		if err != nil || (test.want == "") != (refused == "") || !strings.Contains(refused, test.want) {
			t.Errorf("%s: %s: refused with %q, %v; want %q", test.key, test.value, refused, err, test.want)
		}
	}
	if refused, err := s.try(t.Context(), map[string]string{"example.com/colour": "red"}); err != nil || refused != "" {
		t.Errorf("an annotation of others is refused: %s %v", refused, err)
	}
}

// A Service with a bad annotation from before the policy can be changed
// otherwise, and its annotation taken away.
func (s services) testUnchanged(t *testing.T) {
	ctx := t.Context()
	bindings := s.client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	if err := bindings.Delete(ctx, "landbridge", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	made, err := s.client.CoreV1().Services("default").Create(ctx, service(map[string]string{annotation.Prefix + "pod-share": "5%"}), metav1.CreateOptions{})
	for apierrors.IsInvalid(err) && ctx.Err() == nil { // until the API server has heard of it
		made, err = s.client.CoreV1().Services("default").Create(ctx, service(map[string]string{annotation.Prefix + "pod-share": "5%"}), metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Delete(ctx, "landbridge", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.install(t)
	for _, test := range []struct {
		name    string
		change  func(*corev1.Service)
		refused bool
	}{
		{"another port", func(s *corev1.Service) { s.Spec.Ports[0].Port = 81 }, false},
		{"another annotation", func(s *corev1.Service) { s.Annotations[annotation.Prefix+"paused"] = "all" }, false},
		{"the annotation goes", func(s *corev1.Service) { s.Annotations = nil }, false},
		{"as bad otherwise", func(s *corev1.Service) { s.Annotations[annotation.Prefix+"pod-share"] = "6%" }, true},
	} {
		changed := made.DeepCopy()
		test.change(changed)
		_, err := s.client.CoreV1().Services("default").Update(ctx, changed, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsInvalid(err) != test.refused || err != nil && !test.refused {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// Whatever the checks let pass, the policy does.
func (s services) testAnyValue(t *testing.T) {
	var checked []annotation.Key
	for _, k := range annotation.Keys() {
		if k.Check != nil {
			checked = append(checked, k)
		}
	}
	words := rapid.StringMatching(`[ ,;:%+/0-9a-z\.]{0,12}`)
	near := rapid.SampledFrom([]string{
		" /Common/a ,/web/b\t", "tcp  +  udp", " tcp + http  GET\t/ 200", "http GET /'x'", "+5", "-0", "007", "0", "1h1m1.5s", "+60s", "60s, 1m", ".5s",
		"10.0.0.5%00002:0080", "::ffff:10.0.0.5", "[2001:db8::5%2]:80", "/a:b:c", "amq.x:y", "key: ", "00064512:0", "4294967295:0:4294967295",
		"/Common/tcp ; client", "a, b ,c", "/~!$&'()*+", "1s,1000ms",
	})
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(checked).Draw(t, "key")
		v := rapid.OneOf(words, near, rapid.String()).Draw(t, "value")
		if k.Check(v) != nil {
			return
		}
		if refused, err := s.try(context.Background(), map[string]string{annotation.Prefix + k.Name: v}); err != nil || refused != "" {
			t.Errorf("%s: %q is refused: %s %v", k.Name, v, refused, err)
		}
	})
}
