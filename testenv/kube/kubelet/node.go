package kubelet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	// firstNode is the last byte of the first node's address.
	firstNode = 11

	// kubeletPort is a real kubelet's; listening on it is what claims a
	// node's addresses among all clusters in one network namespace.
	kubeletPort = "10250"

	// firstPod is the last byte of a node's first pod's address; .1 is the
	// bridge's on real nodes.
	firstPod = 2
)

// node is one node of a fleet.
type node struct {
	name         string
	v4, v6       netip.Addr
	cidr4, cidr6 netip.Prefix
	claim        net.Listener

	// Guarded by the fleet's mutex.
	ready    bool
	power    context.Context // ended: the node is dead
	cutPower context.CancelFunc
	used     map[int]bool // last bytes of pod addresses
	next     int          // where the search for the next one begins
}

// newNode claims addresses for a node: 172.18.0.N and fd00:172:18::N for
// itself, 10.244.N.0/24 and fd00:10:244:HEX(N)::/64 for its pods.
func newNode(ctx context.Context, name string) (*node, error) {
	for index := firstNode; index < 255; index++ {
		v4 := netip.AddrFrom4([4]byte{172, 18, 0, byte(index)})
		claim, err := net.Listen("tcp", net.JoinHostPort(v4.String(), kubeletPort))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("claiming an address (only the namespaces of package netns have them): %w", err)
		}
		n := &node{
			name:  name,
			v4:    v4,
			v6:    netip.MustParseAddr("fd00:172:18::" + strconv.Itoa(index)),
			cidr4: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(index), 0}), 24),
			cidr6: netip.MustParsePrefix(fmt.Sprintf("fd00:10:244:%x::/64", index)),
			claim: claim,
			ready: true,
			used:  map[int]bool{},
			next:  firstPod,
		}
		n.restorePower(ctx)
		return n, nil
	}
	return nil, errors.New("claiming an address: all are taken")
}

func (n *node) restorePower(ctx context.Context) {
	if n.power == nil || n.power.Err() != nil {
		n.power, n.cutPower = context.WithCancel(ctx)
	}
}

func (n *node) release() {
	n.cutPower()
	_ = n.claim.Close()
}

// allocate takes the next free pod addresses, IPv4 and IPv6 with the same last
// byte. Like host-local of the CNI plugins it goes round, so that an address
// that came free is not taken again at once.
func (n *node) allocate() ([]netip.Addr, error) {
	for range 255 - firstPod {
		last := n.next
		if n.next++; n.next == 255 {
			n.next = firstPod
		}
		if n.used[last] {
			continue
		}
		n.used[last] = true
		four, six := n.cidr4.Addr().As4(), n.cidr6.Addr().As16()
		four[3], six[15] = byte(last), byte(last)
		return []netip.Addr{netip.AddrFrom4(four), netip.AddrFrom16(six)}, nil
	}
	return nil, fmt.Errorf("node %s: all pod addresses of %s are taken", n.name, n.cidr4)
}

// free gives pod addresses back.
func (n *node) free(addrs []netip.Addr) {
	if len(addrs) > 0 && n.cidr4.Contains(addrs[0]) {
		delete(n.used, int(addrs[0].As4()[3]))
	}
}

// register makes the Node object, Ready. The API server's admission taints
// every new node as not ready (TaintNodesByCondition); the controller that
// would take the taint off is not run, so it is done here.
func register(ctx context.Context, client kubernetes.Interface, n *node) error {
	if _, err := client.CoreV1().Nodes().Create(ctx, n.object(), metav1.CreateOptions{}); err != nil {
		return err
	}
	return patchNode(ctx, client, n.name, map[string]any{"spec": map[string]any{"taints": nil}})
}

func (n *node) object() *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("8"),
		corev1.ResourceMemory: resource.MustParse("16Gi"),
		corev1.ResourcePods:   resource.MustParse("250"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.name,
			Labels: map[string]string{
				corev1.LabelHostname:   n.name,
				corev1.LabelOSStable:   "linux",
				corev1.LabelArchStable: "amd64",
			},
		},
		Spec: corev1.NodeSpec{
			PodCIDR:  n.cidr4.String(),
			PodCIDRs: []string{n.cidr4.String(), n.cidr6.String()},
		},
		Status: corev1.NodeStatus{
			Capacity:    room,
			Allocatable: room,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: n.v4.String()},
				{Type: corev1.NodeInternalIP, Address: n.v6.String()},
				{Type: corev1.NodeHostName, Address: n.name},
			},
			Conditions: []corev1.NodeCondition{longReady()},
		},
	}
}

// longReady is the condition of a node that has not been out of sight lately:
// the worlds of the tests are as old as most clusters.
func longReady() corev1.NodeCondition {
	c := readyNode(true)
	c.LastTransitionTime = metav1.NewTime(time.Now().Add(-time.Hour))
	return c
}

// readyNode is the condition as the kubelet (setters.go) or, where it is not
// true, the node lifecycle controller words it.
func readyNode(ready bool) corev1.NodeCondition {
	c := corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue,
		Reason: "KubeletReady", Message: "kubelet is posting ready status",
		LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
	}
	if !ready {
		c.Status, c.Reason, c.Message = corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status."
	}
	return c
}

// reportReady sets the condition, and the taint that belongs to it.
func reportReady(ctx context.Context, client kubernetes.Interface, name string, ready bool) error {
	status := map[string]any{"status": map[string]any{"conditions": []corev1.NodeCondition{readyNode(ready)}}}
	if err := patchNode(ctx, client, name, status, "status"); err != nil {
		return err
	}
	var taints []corev1.Taint
	if !ready {
		taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoSchedule}}
	}
	return patchNode(ctx, client, name, map[string]any{"spec": map[string]any{"taints": taints}})
}

// patchNode is a strategic merge patch: conditions are merged by their type.
// A nil value removes.
func patchNode(ctx context.Context, client kubernetes.Interface, name string, patch map[string]any, subresource ...string) error {
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, subresource...)
	return err
}
