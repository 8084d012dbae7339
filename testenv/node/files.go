package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const (
	containerdFile = "containerd.toml"
	kubeletFile    = "kubelet.yaml"
	proxyFile      = "proxy.yaml"
	cniDir         = "cni"
)

// containerdConfig: what a machine without CAP_SYS_RESOURCE may not do is left
// out, and the sandbox is an image of ours.
const containerdConfig = `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "` + containerdSocket + `"
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "%s"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "` + PodImage + `"
`

// kubeletConfig: it speaks often, for kube.NodeGrace, and never runs out of
// room because the machine's disk is full.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://` + containerdSocket + `
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: [pods]
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %s}}
authorization: {mode: Webhook}
tlsCertFile: %s
tlsPrivateKeyFile: %s
evictionHard: {memory.available: 1Mi, nodefs.available: 1Mi, imagefs.available: 1Mi, nodefs.inodesFree: "1", imagefs.inodesFree: "1"}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 2s
nodeLeaseDurationSeconds: 8
volumePluginDir: /var/lib/kubelet/volumeplugins
`

// proxyConfig: the size of the kernel's table of connections may be set in the
// first network namespace only.
const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: 10.244.0.0/16
hostnameOverride: %s
clientConnection: {kubeconfig: %s}
conntrack: {maxPerCore: 0, min: 0}
`

// cniConfig: no masquerading, so that pods see each other's addresses.
const cniConfig = `{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

// write writes all that a node finds when it starts, and returns the path of
// its spec.
func (c *Cluster) write(n *machine) (string, error) {
	control := c.Control
	user, err := control.KubeconfigOf("system:node:"+n.name, "system:nodes")
	if err != nil {
		return "", err
	}
	proxy, err := control.KubeconfigOf("system:kube-proxy")
	if err != nil {
		return "", err
	}
	cert, key, err := control.ServingCertificate("kubelet-"+n.name, n.site.Address)
	if err != nil {
		return "", err
	}
	at := func(name string) string { return filepath.Join(n.dir, name) }
	s := spec{
		Name: n.name, Dir: n.dir, Here: n.site, Hierarchies: c.hierarchies, Images: c.images, Containerd: c.binaries.Containerd,
		Programs: [][]string{
			{c.binaries.Kubelet, "--config=" + at(kubeletFile), "--kubeconfig=" + user, "--hostname-override=" + n.name, "--node-ip=" + n.site.Address.String()},
			{c.binaries.Proxy, "--config=" + at(proxyFile)},
		},
	}
	for _, other := range c.machines {
		if other != n {
			s.Others = append(s.Others, other.site)
		}
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(at(cniDir), 0o755); err != nil {
		return "", err
	}
	for name, text := range map[string]string{
		"spec.json":    string(raw),
		containerdFile: fmt.Sprintf(containerdConfig, at(cniDir)),
		kubeletFile:    fmt.Sprintf(kubeletConfig, control.CAFile(), cert, key),
		proxyFile:      fmt.Sprintf(proxyConfig, n.name, proxy),
		filepath.Join(cniDir, "10-pods.conflist"): fmt.Sprintf(cniConfig, n.site.Pods),
	} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return at("spec.json"), nil
}
