package scale

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/testenv/world"
)

const (
	namespace = "shop"
	partition = "web"
	port      = 8080
	// writers are how many Services are made at a time.
	writers = 16
	// pollInterval is the pause between two looks at what has no event. A look
	// at so much costs what is measured its time.
	pollInterval = time.Second
)

// configuration takes as many calls at a time as a device that answers at once
// is worth, and has virtual addresses for 65,000 Services.
const configuration = `apiVersion: landbridge.dev/v1
kind: Config
cluster: $CLUSTER
bigip:
  - name: dc1
    hosts: [$BIGIP]
    credentialsDir: $DIR/credentials
    caFile: $DIR/ca.crt
addressPools:
  - name: public
    ranges: [10.240.0.0/16]
tenants:
  - namespaces: [shop]
    partitions: [web]
    addressPools: [public]
`

// Options say how large a scene is.
type Options struct {
	Services  int // 1 to 50,000
	Endpoints int // of each Service, 1 to 10
	Flips     int // endpoints whose readiness changes, one after the other
	Progress  io.Writer
}

// scene is a world with many Services, and landbridge in it.
type scene struct {
	Options
	world      *world.World
	client     kubernetes.Interface
	controller *world.Controller
	slices     []*discoveryv1.EndpointSlice // by Service's number, as they stand
}

func (s *scene) say(format string, args ...any) { fmt.Fprintf(s.Progress, "  "+format+"\n", args...) }

// open starts a world and fills it.
func open(ctx context.Context, o Options) (_ *scene, err error) {
	s := &scene{Options: o}
	dir, err := os.MkdirTemp("", "landbridge-scale-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(), os.RemoveAll(dir))
		}
	}()
	if s.world, err = world.Start(ctx, world.Options{Dir: dir, NoTraffic: true, Progress: o.Progress}); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "landbridge.yaml"), []byte(s.world.Expand(configuration)), 0o600); err != nil {
		return nil, err
	}
	if s.client, err = kubernetes.NewForConfig(s.world.Kube.Config()); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	s.say("%d Services with %d endpoints each are in the cluster after %.0f s", o.Services, o.Endpoints, time.Since(began).Seconds())
	return s, nil
}

// close ends all, and removes what was written.
func (s *scene) close() error {
	if s.world == nil {
		return nil
	}
	dir := s.world.Dir()
	return errors.Join(s.world.Stop(), os.RemoveAll(dir))
}

// fill makes the Services with their EndpointSlices.
func (s *scene) fill(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := s.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return err
	}
	s.slices = make([]*discoveryv1.EndpointSlice, s.Services)
	making, ctx := errgroup.WithContext(ctx)
	making.SetLimit(writers)
	for n := range s.Services {
		making.Go(func() error { return s.make(ctx, n) })
	}
	return making.Wait()
}

func (s *scene) make(ctx context.Context, n int) (err error) {
	singleStack := corev1.IPFamilyPolicySingleStack
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: name(n),
			Annotations: map[string]string{
				"landbridge.dev/partition":       partition,
				"landbridge.dev/virtual-address": address(10, 240, n).String(),
			},
		},
		Spec: corev1.ServiceSpec{
			ClusterIP:      corev1.ClusterIPNone, // as many as these no range of cluster addresses need have
			IPFamilyPolicy: &singleStack,
			Ports:          []corev1.ServicePort{{Name: "http", Port: port}},
		},
	}
	if _, err := s.client.CoreV1().Services(namespace).Create(ctx, svc, metav1.CreateOptions{}); err != nil {
		return err
	}
	s.slices[n], err = s.client.DiscoveryV1().EndpointSlices(namespace).Create(ctx, s.slice(n), metav1.CreateOptions{})
	return err
}

// slice is what the controller of EndpointSlices would write for a Service.
func (s *scene) slice(n int) *discoveryv1.EndpointSlice {
	var (
		yes, portName, portNumber, protocol = true, "http", int32(port), corev1.ProtocolTCP
		nodes                               = []string{"node-a", "node-b"}
	)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name:   name(n) + "-1",
			Labels: map[string]string{discoveryv1.LabelServiceName: name(n), discoveryv1.LabelManagedBy: "scale.landbridge.dev"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &portNumber, Protocol: &protocol}},
	}
	for e := range s.Endpoints {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{address(10, 1+e, n).String()},
			Conditions: discoveryv1.EndpointConditions{Ready: &yes, Serving: &yes},
			NodeName:   &nodes[e%len(nodes)],
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: fmt.Sprintf("%s-%d", name(n), e)},
		})
	}
	return slice
}

func name(n int) string { return fmt.Sprintf("service-%05d", n) }

// address is a.b.x.y, x.y being a Service's number.
func address(a, b, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(a), byte(b), byte(n >> 8), byte(n)})
}
