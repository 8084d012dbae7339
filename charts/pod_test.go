package charts_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// mounts is where the chart mounts all that a pod is given.
const mounts = "/etc/landbridge"

// process is a pod as a process on this machine, which has no kubelet: its files
// are below a folder.
type process struct {
	root string
}

// errWaits is what keeps a kubelet from starting a pod.
var errWaits = errors.New("the pod waits")

// unfold writes to a folder what the volumes of a pod hold, as a kubelet would.
func (s *site) unfold(ctx context.Context, root string, pod corev1.PodSpec) (process, error) {
	p := process{root: root}
	core := s.Kube.Client().CoreV1()
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, v := range pod.Volumes {
			if v.Name != mount.Name {
				continue
			}
			files := map[string]string{}
			switch {
			case v.ConfigMap != nil:
				m, err := core.ConfigMaps(namespace).Get(ctx, v.ConfigMap.Name, metav1.GetOptions{})
				if err != nil {
					return p, err
				}
				files = m.Data
			case v.Secret != nil:
				secret, err := core.Secrets(namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{})
				if apierrors.IsNotFound(err) && (v.Secret.Optional == nil || !*v.Secret.Optional) {
					return p, fmt.Errorf("%w: MountVolume.SetUp failed for volume %q: %w", errWaits, v.Name, err)
				}
				if err != nil && !apierrors.IsNotFound(err) {
					return p, err
				}
				for name, value := range secret.Data {
					files[name] = string(value)
				}
			}
			if err := p.write(mount.MountPath, files); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

func (p process) write(folder string, files map[string]string) error {
	dir := filepath.Join(p.root, folder)
	if err := os.MkdirAll(filepath.Join(dir, "..data"), 0o700); err != nil { // a kubelet's own
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(p.here(text)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// here is a text with the paths of a pod where they are on this machine.
func (p process) here(text string) string {
	return strings.ReplaceAll(text, mounts, filepath.Join(p.root, mounts))
}

func (p process) config() string { return p.here(mounts + "/config/config.yaml") }

// args are those of a container, for a process on this machine: its files are
// elsewhere, it is in no pod that would tell it the Lease's namespace, and its
// port is not its own.
func (p process) args(of []string, kubeconfig string) []string {
	var args []string
	for _, a := range of {
		if !strings.HasPrefix(a, "--listen=") {
			args = append(args, p.here(a))
		}
	}
	args = append(args, "--kubeconfig="+kubeconfig)
	if of[0] == "release" {
		args = append(args, "--timeout=60s") // it takes a second
	}
	if of[0] == "controller" {
		args = append(args, "--lease-namespace="+namespace)
	}
	return args
}

// work does what the Job of a hook is for as soon as Helm has made it, and says
// how it ended. The output is the container's, with the paths of a pod.
func (s *site) work(ctx context.Context, root, name string) (output string, err error) {
	jobs := s.Kube.Client().BatchV1().Jobs(namespace)
	var job *batchv1.Job
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		job, err = jobs.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil && job.DeletionTimestamp == nil && len(job.Status.Conditions) == 0, err
	})
	if err != nil {
		return "", fmt.Errorf("waiting for Job %s: %w", name, err)
	}
	pod := job.Spec.Template.Spec
	p, err := s.unfold(ctx, root, pod)
	if err != nil {
		return "", err
	}
	out, failed := s.Landbridge(ctx, p.args(pod.Containers[0].Args, s.Kube.Kubeconfig())...)
	output = strings.ReplaceAll(out.Stdout+out.Stderr, root, "")

	// The API server wants each end announced before.
	now := metav1.Now()
	job.Status.StartTime = &now
	ends := []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete}
	if failed != nil {
		ends = []batchv1.JobConditionType{batchv1.JobFailureTarget, batchv1.JobFailed}
	} else {
		job.Status.CompletionTime = &now
	}
	for _, end := range ends {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
			Type: end, Status: corev1.ConditionTrue, LastTransitionTime: now, Reason: "Played",
		})
	}
	_, err = jobs.UpdateStatus(ctx, job, metav1.UpdateOptions{})
	return output, err
}
