package kube

import (
	"net"
	"path/filepath"
	"strings"
	"time"
)

// NodeGrace is after how much silence of its kubelet a real node counts as
// dead. A kubelet speaks every two seconds (package node).
const NodeGrace = 12 * time.Second

const (
	etcdPort      = "2379"
	etcdPeerPort  = "2380"
	claimPort     = "2378" // of claimHost; nothing is served there
	apiServerPort = "6443"
	managerPort   = "10257"

	etcdDir = "etcd" // etcd's data, in the control plane's folder

	// advertised has to be given where there is no default route: the API
	// server ends otherwise, although with --endpoint-reconciler-type=none
	// nobody is told of it.
	advertised = "192.0.2.1"
)

func (cp *ControlPlane) etcdURL() string { return "http://" + net.JoinHostPort(cp.host, etcdPort) }
func (cp *ControlPlane) url() string     { return "https://" + net.JoinHostPort(cp.host, apiServerPort) }

func (cp *ControlPlane) etcdFlags() []string {
	peer := "http://" + net.JoinHostPort(cp.host, etcdPeerPort)
	return []string{
		"--name=default",
		"--data-dir=" + filepath.Join(cp.dir, etcdDir),
		"--listen-client-urls=" + cp.etcdURL(),
		"--advertise-client-urls=" + cp.etcdURL(),
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--unsafe-no-fsync", // the data outlives programs, not machines
		// A member without others need not wait a second for them.
		"--heartbeat-interval=10",
		"--election-timeout=100",
	}
}

func (cp *ControlPlane) apiServerFlags() []string {
	file := func(name string) string { return filepath.Join(cp.dir, name) }
	flags := []string{
		"--etcd-servers=" + cp.etcdURL(),
		"--bind-address=" + cp.host,
		"--secure-port=" + apiServerPort,
		"--advertise-address=" + advertised,
		"--client-ca-file=" + file("ca.crt"),
		"--tls-cert-file=" + file("apiserver.crt"),
		"--tls-private-key-file=" + file("apiserver.key"),
		"--service-account-key-file=" + file("sa.key"),
		"--service-account-signing-key-file=" + file("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--authorization-mode=Node,RBAC",
		"--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
		"--endpoint-reconciler-type=none",
	}
	if cp.extra.Address.IsValid() {
		flags = append(flags,
			"--advertise-address="+cp.host,
			"--endpoint-reconciler-type=lease",
			"--service-cluster-ip-range=10.96.0.0/16", // the nodes have IPv4 only
			"--kubelet-client-certificate="+file("admin.crt"),
			"--kubelet-client-key="+file("admin.key"),
			"--kubelet-certificate-authority="+file("ca.crt"),
			"--kubelet-preferred-address-types=InternalIP",
			// Pods of a dead node are replaced at once, not after 300 s.
			"--default-not-ready-toleration-seconds=1",
			"--default-unreachable-toleration-seconds=1",
		)
	}
	return append(flags, cp.extra.APIServerFlags...)
}

// controllers are those that do what tests are about. The node lifecycle and
// pod garbage collectors are left out: they would take the nodes of package
// kubelet, which send no heartbeats, for dead.
func controllers() string {
	return strings.Join([]string{
		"clusterrole-aggregation-controller",
		"deployment-controller",
		"endpointslice-controller",
		"endpointslice-mirroring-controller",
		"garbage-collector-controller",
		"namespace-controller",
		"replicaset-controller",
		"serviceaccount-controller",
		"statefulset-controller",
	}, ",")
}

func (cp *ControlPlane) managerFlags() []string {
	flags := []string{
		"--kubeconfig=" + cp.Kubeconfig(),
		"--bind-address=" + cp.host,
		"--secure-port=" + managerPort,
		"--leader-elect=false",
		"--controllers=" + controllers(),
		// Its own defaults, 20 and 30 calls a second, are for large clusters.
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
		"--concurrent-service-endpoint-syncs=20",
	}
	if cp.extra.Address.IsValid() {
		flags = append(flags,
			"--controllers=*",
			"--root-ca-file="+filepath.Join(cp.dir, "ca.crt"), // what pods trust
			"--allocate-node-cidrs=false",
			// Of 50 s and 5 s: who waits for a node's death waits less.
			"--node-monitor-grace-period="+NodeGrace.String(),
			"--node-monitor-period=1s",
		)
	}
	return append(flags, cp.extra.ControllerManagerFlags...)
}
