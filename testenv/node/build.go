package node

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"landbridge.dev/testenv/debian"
	"landbridge.dev/testenv/kube"
	"landbridge.dev/testenv/programs"
)

// Binaries are the paths of what a cluster with real nodes runs besides what is
// installed from Debian.
type Binaries struct {
	Control kube.Binaries

	Kubelet, Proxy, Scheduler string
	Containerd                string // its folder: with ctr and the shim
	Pod                       string // the program of PodImage
	Helm                      string
}

// Prepare looks whether this machine can run nodes, then installs and builds
// what they take. It is called outside of the namespaces. progress is told what
// is done and how long it takes; when nothing is left to do it is told nothing.
func Prepare(ctx context.Context, progress io.Writer) error {
	if err := Possible(); err != nil {
		return fmt.Errorf("this machine cannot run Kubernetes nodes: %w", err)
	}
	// runc 1.1 with seccomp, and plugins 1.1: those of Debian 12.
	if err := debian.Install(ctx, progress, "runc", "containernetworking-plugins", "iptables", "nftables"); err != nil {
		return err
	}
	_, err := Build(ctx, progress)
	return err
}

// Build returns the programs, and builds those that no run before has: about
// three minutes on two cores besides those of kube.Build.
func Build(ctx context.Context, progress io.Writer) (Binaries, error) {
	control, err := kube.Build(ctx, progress)
	if err != nil {
		return Binaries{}, err
	}
	kubernetes, err := programs.Build(ctx, progress, programs.Set{
		Name: "nodes", Title: "kubelet, kube-proxy, kube-scheduler and Helm", Module: "node/binaries/kubernetes", Takes: "2 minutes", Release: "k8s.io/kubernetes",
		Programs: []programs.Program{
			{Name: "kubelet", Package: "k8s.io/kubernetes/cmd/kubelet"},
			{Name: "kube-proxy", Package: "k8s.io/kubernetes/cmd/kube-proxy"},
			{Name: "kube-scheduler", Package: "k8s.io/kubernetes/cmd/kube-scheduler"},
			{Name: "helm", Package: "helm.sh/helm/v4/cmd/helm"},
		},
	})
	if err != nil {
		return Binaries{}, err
	}
	containerd, err := programs.Build(ctx, progress, programs.Set{
		Name: "containerd", Title: "containerd", Module: "node/binaries/containerd", Takes: "a minute",
		Programs: []programs.Program{
			{Name: "containerd", Package: "github.com/containerd/containerd/v2/cmd/containerd"},
			{Name: "containerd-shim-runc-v2", Package: "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"},
			{Name: "ctr", Package: "github.com/containerd/containerd/v2/cmd/ctr"},
		},
	})
	if err != nil {
		return Binaries{}, err
	}
	pod, err := buildPod(ctx)
	return Binaries{
		Control: control, Containerd: containerd, Pod: pod,
		Kubelet:   filepath.Join(kubernetes, "kubelet"),
		Proxy:     filepath.Join(kubernetes, "kube-proxy"),
		Scheduler: filepath.Join(kubernetes, "kube-scheduler"),
		Helm:      filepath.Join(kubernetes, "helm"),
	}, err
}
