package charts_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"landbridge.dev/config"
)

// Where names are asked for: anywhere, and only where the values say.
const (
	anyDNS = "*:53/UDP *:53/TCP "
	ownDNS = "namespaces(kubernetes.io/metadata.name=kube-system)pods(k8s-app=kube-dns):53/UDP namespaces(kubernetes.io/metadata.name=kube-system)pods(k8s-app=kube-dns):53/TCP "
)

// What goes out is what the configuration names, what comes in is who reads
// metrics, publishes or opens a session, and nothing else. Jobs, which have the
// passwords of devices too, are let in to by nobody.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ values, name, in, out string }{
		{"minimal", "landbridge-controller", "namespaces:metrics/TCP", anyDNS + "*:443/TCP *:6443/TCP"},
		{"bigip", "landbridge-controller", "namespaces:metrics/TCP", anyDNS + "*:443/TCP *:6443/TCP 192.0.2.10/32:443/TCP 2001:db8::10/128:8443/TCP"},
		{"bigip", "landbridge-config-check", "", anyDNS + "192.0.2.10/32:443/TCP 2001:db8::10/128:8443/TCP"},
		{"bigip", "landbridge-uninstall", "", anyDNS + "*:443/TCP *:6443/TCP 192.0.2.10/32:443/TCP 2001:db8::10/128:8443/TCP"},
		{
			"everything", "bridge-controller", "namespaces(kubernetes.io/metadata.name=monitoring):metrics/TCP 2001:db8:b::1/128:1179/TCP",
			ownDNS + "192.0.2.1/32:6443/TCP *:443/TCP 198.51.100.1/32:179/TCP 192.0.2.40/32:4318/TCP *:5671/TCP 192.0.2.30/32:5673/TCP *:15671/TCP *:514/UDP",
		},
		{
			"everything", "bridge-gateway", "namespaces(kubernetes.io/metadata.name=monitoring):metrics/TCP namespaces(queues=true):api/TCP",
			ownDNS + "192.0.2.1/32:6443/TCP *:5671/TCP 192.0.2.30/32:5673/TCP *:15671/TCP namespaces:* *:514/UDP",
		},
		{"everything", "bridge-config-check", "", ownDNS + "*:443/TCP *:5671/TCP 192.0.2.30/32:5673/TCP *:15671/TCP *:514/UDP"},
		{"everything", "bridge-uninstall", "", ownDNS + "192.0.2.1/32:6443/TCP *:443/TCP *:514/UDP"},
	} {
		r := mustRender(t, combination(t, test.values))
		p := find[networkingv1.NetworkPolicy](t, slices.Concat(r.objects, r.hooks), "NetworkPolicy", test.name)
		if want := []networkingv1.PolicyType{"Ingress", "Egress"}; !slices.Equal(p.Spec.PolicyTypes, want) {
			t.Errorf("%s %s is for %v, want %v", test.values, test.name, p.Spec.PolicyTypes, want)
		}
		var in, out []string
		for _, rule := range p.Spec.Ingress {
			in = append(in, through(rule.Ports, rule.From)...)
		}
		for _, rule := range p.Spec.Egress {
			out = append(out, through(rule.Ports, rule.To)...)
		}
		if diff := cmp.Diff(strings.Fields(test.in), in, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("into %s %s (-want +got):\n%s", test.values, test.name, diff)
		}
		if diff := cmp.Diff(strings.Fields(test.out), out); diff != "" {
			t.Errorf("out of %s %s (-want +got):\n%s", test.values, test.name, diff)
		}
	}
}

// through is what a rule lets through: WHO:PORT/PROTOCOL, for each of both.
func through(ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer) []string {
	var who, all []string
	for _, p := range peers {
		if p.IPBlock != nil {
			who = append(who, p.IPBlock.CIDR)
			continue
		}
		who = append(who, selected("namespaces", p.NamespaceSelector)+selected("pods", p.PodSelector))
	}
	if len(peers) == 0 {
		who = []string{"*"}
	}
	for _, w := range who {
		for _, p := range ports {
			all = append(all, w+":"+p.Port.String()+"/"+string(*p.Protocol))
		}
		if len(ports) == 0 {
			all = append(all, w+":*")
		}
	}
	return all
}

func selected(what string, by *metav1.LabelSelector) string {
	switch {
	case by == nil:
		return ""
	case len(by.MatchLabels) == 0:
		return what
	}
	return what + "(" + metav1.FormatLabelSelector(by) + ")"
}

// Each pod that the chart makes, a Job's too, is that of exactly one policy, whose
// ports by name are those of its container; where probes and metrics are, is one
// of them.
func TestEachPodHasItsPolicy(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bigip", "everything"} {
		r := mustRender(t, combination(t, name))
		all := slices.Concat(r.objects, r.hooks)
		var policies []*networkingv1.NetworkPolicy
		for _, o := range all {
			if o.GetKind() == "NetworkPolicy" {
				policies = append(policies, decode[networkingv1.NetworkPolicy](t, o))
			}
		}
		for _, o := range all {
			var pod corev1.PodTemplateSpec
			switch o.GetKind() {
			case "Deployment":
				pod = decode[appsv1.Deployment](t, o).Spec.Template
			case "Job":
				pod = decode[batchv1.Job](t, o).Spec.Template
			default:
				continue
			}
			of := slices.DeleteFunc(slices.Clone(policies), func(p *networkingv1.NetworkPolicy) bool {
				chosen, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
				return err != nil || !chosen.Matches(labels.Set(pod.Labels))
			})
			if len(of) != 1 {
				t.Errorf("%s: %d policies are for pods of %s", name, len(of), o.GetName())
				continue
			}
			testPorts(t, of[0], pod.Spec.Containers[0])
		}
	}
}

func testPorts(t *testing.T, policy *networkingv1.NetworkPolicy, c corev1.Container) {
	t.Helper()
	var open, named []string
	for _, rule := range policy.Spec.Ingress {
		for _, p := range rule.Ports {
			if p.Port.Type == intstr.String {
				open = append(open, p.Port.StrVal)
			}
		}
	}
	for _, p := range c.Ports {
		named = append(named, p.Name)
	}
	if diff := cmp.Diff(named, open); diff != "" {
		t.Errorf("%s (-ports of the container +let in to):\n%s", policy.Name, diff)
	}
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
		if probe != nil && !slices.Contains(open, probe.HTTPGet.Port.String()) {
			t.Errorf("%s: probes go to %s", policy.Name, probe.HTTPGet.Port.String())
		}
	}
}

// A peer that is waited for at a port below 1024, as it is unless written, is let
// in to by the pod's own network. On a node's network nobody may give that right,
// and the chart says so.
func TestPassivePeers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		peer        string
		hostNetwork bool
		want        []corev1.Sysctl
		refused     string
	}{
		{peer: `address: 192.0.2.1`},
		{peer: `address: 192.0.2.1`, hostNetwork: true},
		{peer: `address: 192.0.2.1, passive: true, listenPort: 1179`},
		{peer: `address: 192.0.2.1, passive: true, listenPort: 1024`, hostNetwork: true},
		{peer: `address: 192.0.2.1, passive: true`, want: anyPort},
		{peer: `address: 192.0.2.1, passive: true, listenPort: 1023`, want: anyPort},
		{peer: `address: 192.0.2.1, passive: true`, hostNetwork: true, refused: "config.bgp.peers: tor-a at port 179 is waited for"},
		{peer: `address: 192.0.2.1, passive: true, listenPort: 1023`, hostNetwork: true, refused: "tor-a at port 1023"},
	} {
		values := parse(t, `{config: {cluster: a, bgp: {asn: 64512, peers: [{name: tor-b, address: 192.0.2.2, asn: 64512}, {name: tor-a, asn: 64512, `+test.peer+`}]}}}`)
		values["controller"] = map[string]any{"hostNetwork": test.hostNetwork}
		r, err := render(values)
		if test.refused != "" {
			if err == nil || !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%s, on the node's network %t: %v, want %q", test.peer, test.hostNetwork, err, test.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s, on the node's network %t: %v", test.peer, test.hostNetwork, err)
			continue
		}
		got := find[appsv1.Deployment](t, r.objects, "Deployment", "landbridge").Spec.Template.Spec.SecurityContext.Sysctls
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s, on the node's network %t (-want +got):\n%s", test.peer, test.hostNetwork, diff)
		}
		conf, err := config.Parse([]byte(find[corev1.ConfigMap](t, r.objects, "ConfigMap", "landbridge").Data["config.yaml"]))
		if err != nil {
			t.Fatal(err)
		}
		if p := conf.BGP.Peers[1]; p.Passive && (p.ListenPort < 1024) != (len(got) > 0) {
			t.Errorf("%s is waited for at port %d, with %v", p.Name, p.ListenPort, got)
		}
	}
}

var anyPort = []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}}
