package charts_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The Jobs of hooks run on the nodes, and on the network, on which the controller
// reaches devices. What it keeps away from does not bind them: they run beside it.
func TestJobsRunWhereControllersMay(t *testing.T) {
	t.Parallel()
	place := func(pod corev1.PodSpec) corev1.PodSpec {
		at := corev1.PodSpec{
			NodeSelector: pod.NodeSelector, Tolerations: pod.Tolerations, HostNetwork: pod.HostNetwork, DNSPolicy: pod.DNSPolicy,
			ImagePullSecrets: pod.ImagePullSecrets,
		}
		if pod.Affinity != nil {
			at.Affinity = &corev1.Affinity{NodeAffinity: pod.Affinity.NodeAffinity}
		}
		return at
	}
	for values, controller := range map[string]string{"everything": "bridge", "bigip": "landbridge"} {
		r := mustRender(t, combination(t, values))
		want := place(find[appsv1.Deployment](t, r.objects, "Deployment", controller).Spec.Template.Spec)
		for _, job := range []string{"config-check", "release"} {
			pod := find[batchv1.Job](t, r.hooks, "Job", controller+"-"+job).Spec.Template.Spec
			if diff := cmp.Diff(want, place(pod)); diff != "" {
				t.Errorf("%s %s (-controller +Job):\n%s", values, job, diff)
			}
			if a := pod.Affinity; a != nil && (a.PodAffinity != nil || a.PodAntiAffinity != nil) || len(pod.TopologySpreadConstraints) > 0 {
				t.Errorf("%s %s depends on other pods: %v, %v", values, job, a, pod.TopologySpreadConstraints)
			}
		}
	}
}

// helmWaits is for how long Helm waits for a hook unless told.
const helmWaits = 5 * time.Minute

// The command that gives Services back is done, and says which it waits for, before
// the Job's time is up: that takes the pod away, and its log with it. And Helm is
// still there then.
func TestReleaseEndsInTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values string
		most   time.Duration
	}{
		{`{config: {cluster: a}, uninstall: {release: keep}}`, helmWaits},
		{`{config: {cluster: a}, uninstall: {release: keep, timeoutSeconds: 1800}}`, 30 * time.Minute},
		{`{config: {cluster: a}, uninstall: {release: keep, timeoutSeconds: 90}}`, 90 * time.Second},
	} {
		job := find[batchv1.Job](t, mustRender(t, parse(t, test.values)).hooks, "Job", "landbridge-release").Spec
		args := job.Template.Spec.Containers[0].Args
		i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--timeout=") })
		if i < 0 {
			t.Fatalf("%s: %v", test.values, args)
		}
		waits, err := time.ParseDuration(strings.TrimPrefix(args[i], "--timeout="))
		if err != nil {
			t.Fatal(err)
		}
		// Its pod has to be started, and reads the devices first.
		ends := time.Duration(*job.ActiveDeadlineSeconds) * time.Second
		if waits < 30*time.Second || waits+time.Minute > ends || ends > test.most {
			t.Errorf("%s: the command waits for %s, the Job ends after %s, want at most %s", test.values, waits, ends, test.most)
		}
	}
}

// What the check of the configuration needs stands before its Job, and goes with
// it: the configuration, and the policy for its pod.
func TestCheckFindsWhatItNeeds(t *testing.T) {
	t.Parallel()
	hooks := mustRender(t, combination(t, "bigip")).hooks
	const when, weight, goes = "helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy"
	job := find[batchv1.Job](t, hooks, "Job", "landbridge-config-check").Annotations
	for _, kind := range []string{"ConfigMap", "NetworkPolicy"} {
		i := slices.IndexFunc(hooks, func(o *unstructured.Unstructured) bool {
			return o.GetKind() == kind && o.GetName() == "landbridge-config-check"
		})
		if i < 0 {
			t.Fatalf("there is no %s", kind)
		}
		got := hooks[i].GetAnnotations()
		if got[when] != job[when] || got[goes] != job[goes] || got[weight] != "-1" || job[weight] != "" {
			t.Errorf("%s: %v, the Job: %v", kind, got, job)
		}
	}
}
