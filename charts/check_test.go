package charts_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checked runs Helm, and its Job of the configuration as soon as that is there.
func (s *site) checked(t *testing.T, helm func() error) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var (
		job    sync.WaitGroup
		worked error
	)
	root := t.TempDir()
	job.Go(func() { output, worked = s.work(ctx, root, "landbridge-config-check") })
	err = helm()
	cancel()
	job.Wait()
	if worked != nil {
		t.Fatalf("the Job: %v; Helm: %v", worked, err)
	}
	return output, err
}

// What is wrong is said before anything is installed, and before an upgrade
// changes anything: a Secret that is missing, by its name, and a configuration
// that is not valid or asks for what the device does not have.
func TestConfigCheck(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	values := func(change func(config map[string]any)) map[string]any {
		v := parse(t, s.Expand(siteValues+"configCheck: {enabled: true}\n"))
		change(v["config"].(map[string]any))
		return v
	}
	good := func(map[string]any) {}
	deployments := s.Kube.Client().AppsV1().Deployments(namespace)

	elsewhere := func(c map[string]any) { c["tenants"].([]any)[0].(map[string]any)["partitions"] = []any{"elsewhere"} }
	install := func(why string, change func(config map[string]any), want string) {
		t.Helper()
		out, err := s.checked(t, func() error {
			i := s.installation("landbridge")
			i.DisableHooks, i.Replace = false, true // one that failed stands in no way
			_, err := i.Run(load(t), values(change))
			return err
		})
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, the Job says\n%s, want %q", why, err, out, want)
		}
		if _, err := deployments.Get(t.Context(), "landbridge", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s: the controller was installed: %v", why, err)
		}
	}
	install("without the Secret", good, "/etc/landbridge/dc1 is empty: there is no Secret landbridge-system/landbridge-dc1")
	s.secret(t)
	install("with a partition that the device does not have", elsewhere, "elsewhere")

	upgrade := func(change func(config map[string]any)) (string, error) {
		return s.checked(t, func() error {
			u := s.upgrading()
			u.DisableHooks = false
			_, err := u.Run("landbridge", load(t), values(change))
			return err
		})
	}
	if out, err := upgrade(good); err != nil {
		t.Fatalf("with the Secret: %v, the Job says\n%s", err, out)
	}
	before := s.standing(t)
	for name, test := range map[string]struct {
		change func(config map[string]any)
		want   string
	}{
		"a name that is none": {
			func(c map[string]any) { c["cluster"] = "Prod_1" }, `cluster: "Prod_1" must be a DNS label`,
		},
		"a partition that the device does not have": {
			elsewhere, "elsewhere",
		},
	} {
		if out, err := upgrade(test.change); err == nil || !strings.Contains(out, test.want) {
			t.Errorf("%s: %v, the Job says\n%s, want %q", name, err, out, test.want)
		}
		if after := s.standing(t); after != before {
			t.Errorf("%s: the release was changed to\n%s", name, after)
		}
	}
	if out, err := upgrade(good); err != nil {
		t.Errorf("a good one again: %v, the Job says\n%s", err, out)
	}
}

// standing is the configuration of the release, and how its pods are made.
func (s *site) standing(t *testing.T) string {
	t.Helper()
	out, err := s.Kubectl(t.Context(), "get", "configmap/landbridge", "deployment/landbridge", "-n", namespace,
		"-o", "jsonpath={range .items[*]}{.data}{.spec.template}{end}")
	if err != nil {
		t.Fatal(out.Stderr)
	}
	return out.Stdout
}
