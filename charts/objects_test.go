package charts_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"landbridge.dev/config"
	"landbridge.dev/deploy"
)

// What holds for every combination of values.
func TestObjects(t *testing.T) {
	t.Parallel()
	for _, name := range combinations(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := mustRender(t, combination(t, name))
			for _, o := range slices.Concat(r.objects, r.hooks) {
				testObject(t, r, o)
			}
			if r.notes == "" {
				t.Error("there are no notes")
			}
		})
	}
}

func testObject(t *testing.T, r *rendered, o *unstructured.Unstructured) {
	t.Helper()
	if o.GetNamespace() != "" && o.GetNamespace() != namespace {
		t.Errorf("%s %s is in namespace %s", o.GetKind(), o.GetName(), o.GetNamespace())
	}
	switch o.GetKind() {
	case "Secret":
		t.Errorf("Secret %s: secrets are only referred to", o.GetName())
	case "Deployment":
		pods := decode[appsv1.Deployment](t, o).Spec.Template
		testPod(t, o.GetName(), pods)
		testSpread(t, o.GetName(), pods)
	case "Job":
		testPod(t, o.GetName(), decode[batchv1.Job](t, o).Spec.Template)
	case "ConfigMap":
		if raw, ok := decode[corev1.ConfigMap](t, o).Data["config.yaml"]; ok {
			if _, err := config.Parse([]byte(raw)); err != nil {
				t.Errorf("ConfigMap %s: %v", o.GetName(), err)
			}
		}
	case "PodDisruptionBudget":
		pods := find[appsv1.Deployment](t, r.objects, "Deployment", o.GetName()).Spec.Template.Labels
		matches(t, o.GetName(), decode[policyv1.PodDisruptionBudget](t, o).Spec.Selector.MatchLabels, pods)
	case "ServiceMonitor":
		decode[monitoringv1.ServiceMonitor](t, o)
	case "PrometheusRule":
		decode[monitoringv1.PrometheusRule](t, o)
	}
}

func matches(t *testing.T, what string, selector, labels map[string]string) {
	t.Helper()
	for k, v := range selector {
		if labels[k] != v {
			t.Errorf("%s selects %s=%s, and its pods have %q", what, k, v, labels[k])
		}
	}
}

// testPod checks that a pod may do no more than it needs.
func testPod(t *testing.T, name string, pod corev1.PodTemplateSpec) {
	t.Helper()
	s := pod.Spec.SecurityContext
	if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: the pod's security context is %+v", name, s)
	}
	mounted := map[string]bool{}
	for _, v := range pod.Spec.Volumes {
		mounted[v.Name] = v.Secret == nil || *v.Secret.DefaultMode == 0o440
		// A Job says itself what is missing, and nobody need wait until its time is up.
		job := pod.Spec.RestartPolicy == corev1.RestartPolicyNever
		if v.Secret != nil && job != (v.Secret.Optional != nil && *v.Secret.Optional) {
			t.Errorf("%s: whether it waits for Secret %s: %v", name, v.Secret.SecretName, v.Secret.Optional)
		}
	}
	for _, c := range pod.Spec.Containers {
		want := corev1.SecurityContext{
			AllowPrivilegeEscalation: new(bool), ReadOnlyRootFilesystem: yes(),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
		if diff := cmp.Diff(&want, c.SecurityContext); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: memory is not bounded", name)
		}
		for _, m := range c.VolumeMounts {
			if !mounted[m.Name] || !m.ReadOnly {
				t.Errorf("%s: volume %s is not there, may be written, or may be read by others", name, m.Name)
			}
			delete(mounted, m.Name)
		}
	}
	if len(mounted) > 0 {
		t.Errorf("%s: nobody mounts %v", name, mounted)
	}
}

// testSpread checks that a roll's new pods spread among each other: counting
// those that are about to go puts both on one node.
func testSpread(t *testing.T, name string, pod corev1.PodTemplateSpec) {
	t.Helper()
	if len(pod.Spec.TopologySpreadConstraints) == 0 {
		t.Errorf("%s: its pods are not spread", name)
	}
	for _, c := range pod.Spec.TopologySpreadConstraints {
		matches(t, name, c.LabelSelector.MatchLabels, pod.Labels)
		if !slices.Equal(c.MatchLabelKeys, []string{appsv1.DefaultDeploymentUniqueLabelKey}) {
			t.Errorf("%s: the spread over %s matches label keys %v", name, c.TopologyKey, c.MatchLabelKeys)
		}
	}
}

func yes() *bool {
	b := true
	return &b
}

// The chart gives exactly the rights of deploy/, to the ServiceAccounts that its
// pods run as. Under these the scripts of testenv run, and `landbridge check`
// asks for each.
func TestRights(t *testing.T) {
	t.Parallel()
	r := mustRender(t, combination(t, "everything"))
	rights, err := deploy.Rights()
	if err != nil {
		t.Fatal(err)
	}
	var got []deploy.Right
	for _, rule := range find[rbacv1.ClusterRole](t, r.objects, "ClusterRole", "bridge").Rules {
		got = append(got, single(rule, false)...)
	}
	for _, rule := range find[rbacv1.Role](t, r.objects, "Role", "bridge").Rules {
		got = append(got, single(rule, true)...)
	}
	if diff := cmp.Diff(rights, got); diff != "" {
		t.Errorf("(-deploy +chart):\n%s", diff)
	}
	for name, part := range map[string]string{"bridge": "bridge-controller", "bridge-gateway": "bridge-gateway"} {
		want := []rbacv1.Subject{{Kind: "ServiceAccount", Name: part, Namespace: namespace}}
		if diff := cmp.Diff(want, find[rbacv1.ClusterRoleBinding](t, r.objects, "ClusterRoleBinding", name).Subjects); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if runs := find[appsv1.Deployment](t, r.objects, "Deployment", name).Spec.Template.Spec.ServiceAccountName; runs != part {
			t.Errorf("%s runs as %s, want %s", name, runs, part)
		}
	}
}

func single(rule rbacv1.PolicyRule, lease bool) []deploy.Right {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var all []deploy.Right
	for _, group := range rule.APIGroups {
		for _, path := range rule.Resources {
			for _, name := range names {
				for _, verb := range rule.Verbs {
					resource, sub, _ := strings.Cut(path, "/")
					all = append(all, deploy.Right{Verb: verb, Group: group, Resource: resource, Subresource: sub, Name: name, Lease: lease})
				}
			}
		}
	}
	return all
}

// Traces are made where there is a collector, by the controller alone.
func TestTracing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values, name string
		want         []string
	}{
		{"minimal", "landbridge", nil},
		{"everything", "bridge", []string{
			"OTEL_EXPORTER_OTLP_ENDPOINT=http://192.0.2.40:4318", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.1",
			"OTEL_EXPORTER_OTLP_HEADERS of collector",
		}},
		{"everything", "bridge-gateway", nil},
	} {
		r := mustRender(t, combination(t, test.values))
		var got []string
		for _, e := range find[appsv1.Deployment](t, r.objects, "Deployment", test.name).Spec.Template.Spec.Containers[0].Env {
			switch {
			case !strings.HasPrefix(e.Name, "OTEL_"):
			case e.ValueFrom != nil:
				got = append(got, e.Name+" of "+e.ValueFrom.SecretKeyRef.Name)
			default:
				got = append(got, e.Name+"="+e.Value)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", test.values, test.name, diff)
		}
	}
}

// A part gets the Secrets that are meant for it, where the configuration looks
// for them; the notes name them all.
func TestSecrets(t *testing.T) {
	t.Parallel()
	r := mustRender(t, combination(t, "everything"))
	for name, want := range map[string]map[string]string{
		"bridge":         {"/etc/landbridge/bgp": "landbridge-bgp", "/etc/landbridge/dc1": "landbridge-dc1", "/etc/landbridge/mq": "landbridge-mq"},
		"bridge-gateway": {"/etc/landbridge/mq": "landbridge-mq", "/etc/landbridge/api-tls": "gateway-tls"},
	} {
		pod := find[appsv1.Deployment](t, r.objects, "Deployment", name).Spec.Template.Spec
		secrets, got := map[string]string{}, map[string]string{}
		for _, v := range pod.Volumes {
			if v.Secret != nil {
				secrets[v.Name] = v.Secret.SecretName
			}
		}
		for _, m := range pod.Containers[0].VolumeMounts {
			if secret, ok := secrets[m.Name]; ok {
				got[m.MountPath] = secret
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if want := "kubectl -n landbridge-system get secret landbridge-bgp landbridge-dc1 landbridge-mq gateway-tls\n"; !strings.Contains(r.notes, want) {
		t.Errorf("the notes are\n%s\nwant %q", r.notes, want)
	}
}

// Pods are started anew for what a running process cannot take up, as it says
// itself, and for nothing else.
func TestRestarts(t *testing.T) {
	t.Parallel()
	release := func(change func(config map[string]any)) (sum string, conf *config.Config) {
		values := combination(t, "everything")
		change(values["config"].(map[string]any))
		all := mustRender(t, values).objects
		conf, err := config.Parse([]byte(find[corev1.ConfigMap](t, all, "ConfigMap", "bridge").Data["config.yaml"]))
		if err != nil {
			t.Fatal(err)
		}
		return find[appsv1.Deployment](t, all, "Deployment", "bridge").Spec.Template.Annotations["checksum/config"], conf
	}
	sum, before := release(func(map[string]any) {})
	for name, change := range map[string]func(map[string]any){
		"cluster":    func(c map[string]any) { c["cluster"] = "prod-2" },
		"former":     func(c map[string]any) { c["formerClusters"] = []any{"old"} },
		"uids":       func(c map[string]any) { c["formerUIDs"] = []any{"0123abcd"} },
		"namespaces": func(c map[string]any) { c["namespaces"] = []any{"shop"} },
		"bigip":      func(c map[string]any) { c["bigip"].([]any)[0].(map[string]any)["maxConcurrentCalls"] = 2 },
		"mq":         func(c map[string]any) { c["mq"].(map[string]any)["urls"] = []any{"amqps://mq-a.example.com"} },
		"speakers":   func(c map[string]any) { c["bgp"].(map[string]any)["speakers"] = "leader" },
		"peers": func(c map[string]any) {
			c["bgp"].(map[string]any)["peers"].([]any)[0].(map[string]any)["holdTime"] = "12s"
		},
		"brakes":  func(c map[string]any) { c["brakes"] = map[string]any{"minDelete": 3} },
		"tenants": func(c map[string]any) { c["tenants"] = []any{} },
		"pools": func(c map[string]any) {
			c["addressPools"] = []any{map[string]any{"name": "a", "ranges": []any{"203.0.113.0/24"}}}
		},
		"mode":      func(c map[string]any) { c["mode"] = "plan" },
		"paused":    func(c map[string]any) { c["paused"] = true },
		"finalizer": func(c map[string]any) { c["finalizerTimeout"] = "1h" },
	} {
		changed, after := release(change)
		want := errors.Is(before.Replaceable(after), config.ErrRestart)
		if (changed != sum) != want {
			t.Errorf("%s: pods are started anew: %t; it takes a restart: %t", name, changed != sum, want)
		}
	}
}
