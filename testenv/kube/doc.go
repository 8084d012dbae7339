// Package kube runs a real Kubernetes control plane for tests and the lab:
// etcd, kube-apiserver and kube-controller-manager as they are released, built
// once from their modules, one set of processes for each ControlPlane, as many
// side by side as wanted. What a control plane needs from nodes comes from
// package kubelet, which plays the part of kubelet, scheduler and kube-proxy inside
// the test's process: pods have addresses of their own, answer on them, become
// ready and unready, and end in the steps that a real kubelet takes.
//
// It is meant to run inside the namespaces of package netns: the addresses of
// pods and nodes exist there only, and nothing outlives a killed test there.
package kube
