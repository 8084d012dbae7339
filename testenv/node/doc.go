// Package node runs real Kubernetes nodes on one machine: kubelet, kube-proxy
// and containerd as they are released, with a control plane of package kube, a
// scheduler and real pods. It needs root, and the network once, to build and
// install what it runs.
//
// It runs inside the namespaces of package netns, with the Ranges of this
// package. In there each node has network, mount, pid, cgroup, ipc and uts
// namespaces of its own: every component has its default paths, and killing a
// node's first process is a loss of power. The nodes are at 172.18.0.11 and up
// on a bridge that the inside is on at 172.18.0.1; pods have addresses of
// 10.244.0.0/16. A network namespace holds one cluster at most.
package node
