package kube

import (
	"context"
	"io"
	"path/filepath"

	"landbridge.dev/testenv/programs"
)

// Binaries are the paths of the control plane's programs.
type Binaries struct {
	Etcd, APIServer, ControllerManager, Kubectl string
}

// Build returns the programs, and builds those of this source tree's versions
// if no run before has: about five minutes on two cores. The versions are those
// of the module in the folder binaries.
func Build(ctx context.Context, progress io.Writer) (Binaries, error) {
	dir, err := programs.Build(ctx, progress, programs.Set{
		Name: "kubernetes", Title: "etcd and Kubernetes", Module: "kube/binaries", Takes: "5 minutes", Release: "k8s.io/kubernetes",
		Programs: []programs.Program{
			{Name: "etcd", Package: "go.etcd.io/etcd/server/v3"},
			{Name: "kube-apiserver", Package: "k8s.io/kubernetes/cmd/kube-apiserver"},
			{Name: "kube-controller-manager", Package: "k8s.io/kubernetes/cmd/kube-controller-manager"},
			{Name: "kubectl", Package: "k8s.io/kubernetes/cmd/kubectl"},
		},
	})
	return Binaries{
		Etcd:              filepath.Join(dir, "etcd"),
		APIServer:         filepath.Join(dir, "kube-apiserver"),
		ControllerManager: filepath.Join(dir, "kube-controller-manager"),
		Kubectl:           filepath.Join(dir, "kubectl"),
	}, err
}
