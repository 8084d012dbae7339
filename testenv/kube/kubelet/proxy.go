package kubelet

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// proxy plays kube-proxy for node ports: it listens on every powered node's
// addresses and forwards to the Service's endpoints.
type proxy struct {
	factory  informers.SharedInformerFactory
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	changed  workqueue.TypedRateLimitingInterface[cache.ObjectName] // Services to look at
	powered  func() []poweredNode
	ctx      context.Context // ends the connections

	mu          sync.Mutex
	sockets     map[cache.ObjectName]map[socketKey]socket
	connections sync.WaitGroup // forwarded ones
}

// poweredNode is what the proxy knows of a node that is alive.
type poweredNode struct {
	name  string
	addrs []netip.Addr
	power context.Context // ends when it dies
}

// socketKey names a socket of a Service on one node.
type socketKey struct {
	kind  string // "TCP", "UDP", "health"
	addr  netip.AddrPort
	power context.Context // a node that died and came back has new sockets
}

// socket is one that the proxy listens on.
type socket interface {
	// route says where new connections go. It is never empty but for health
	// sockets.
	route(backends)
	// close stops listening; connections that stand go on, as those in the
	// kernel's tables do. It returns when the port is free.
	close()
}

// backends are a port's endpoints on the node that listens.
type backends struct {
	addrs []netip.AddrPort
	local bool // externalTrafficPolicy Local: the client's address is kept
}

func newProxy(ctx context.Context, factory informers.SharedInformerFactory, powered func() []poweredNode) *proxy {
	return &proxy{
		factory:  factory,
		services: factory.Core().V1().Services().Lister(),
		slices:   factory.Discovery().V1().EndpointSlices().Lister(),
		changed:  newQueue(),
		powered:  powered,
		ctx:      ctx,
		sockets:  map[cache.ObjectName]map[socketKey]socket{},
	}
}

// follow registers what the proxy wants to know with the informers.
func (p *proxy) follow() error {
	if err := enqueueAll(p.factory.Core().V1().Services().Informer(), p.changed); err != nil {
		return err
	}
	add := func(o any) {
		if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = gone.Obj
		}
		if s, ok := o.(*discoveryv1.EndpointSlice); ok {
			p.changed.Add(cache.ObjectName{Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]})
		}
	}
	_, err := p.factory.Discovery().V1().EndpointSlices().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    add,
		UpdateFunc: func(_, o any) { add(o) },
		DeleteFunc: add,
	})
	return err
}

// work follows changes until stop.
func (p *proxy) work() { drain(p.ctx, p.changed, p.sync) }

// resync brings all Services up to the nodes' state before it returns.
func (p *proxy) resync() {
	services, err := p.services.List(labels.Everything())
	if err != nil {
		return // a lister over a cache has no errors
	}
	for _, s := range services {
		if err := p.sync(p.ctx, cache.MetaObjectToName(s)); err != nil {
			p.changed.AddRateLimited(cache.MetaObjectToName(s))
		}
	}
}

// stop closes all sockets and waits for the connections; p.ctx has ended, and
// with it every node's power.
func (p *proxy) stop() {
	p.changed.ShutDown()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sockets := range p.sockets {
		for _, s := range sockets {
			s.close()
		}
	}
	p.sockets = nil
	p.connections.Wait()
}

// sync opens, routes and closes the sockets of one Service.
func (p *proxy) sync(_ context.Context, name cache.ObjectName) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sockets == nil {
		return nil // stopped
	}
	want, err := p.want(name)
	if err != nil {
		return err
	}
	have := p.sockets[name]
	for key, s := range have {
		if _, ok := want[key]; !ok {
			s.close()
			delete(have, key)
		}
	}
	if have == nil && len(want) > 0 {
		have = map[socketKey]socket{}
		p.sockets[name] = have
	}
	for key, to := range want {
		if have[key] == nil {
			if have[key], err = p.open(name, key, to); err != nil {
				delete(have, key)
				return fmt.Errorf("service %s: %w", name, err)
			}
		}
		have[key].route(to)
	}
	if len(have) == 0 {
		delete(p.sockets, name)
	}
	return nil
}

func (p *proxy) open(name cache.ObjectName, key socketKey, to backends) (socket, error) {
	switch key.kind {
	case healthSocket:
		return listenHealth(name, key.addr)
	case string(corev1.ProtocolUDP):
		return listenUDP(key, to)
	}
	return listenTCP(key, to, &p.connections)
}

// want is which sockets a Service should have, and where each leads. A node
// port without endpoints has none: connections are refused.
func (p *proxy) want(name cache.ObjectName) (map[socketKey]backends, error) {
	want := map[socketKey]backends{}
	service, err := p.services.Services(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return want, nil
	}
	if err != nil {
		return nil, err
	}
	of := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: name.Name})
	slices, err := p.slices.EndpointSlices(name.Namespace).List(of)
	if err != nil {
		return nil, err
	}
	local := service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	for _, node := range p.powered() {
		on := ""
		if local {
			on = node.name
		}
		for _, family := range service.Spec.IPFamilies {
			addr := node.addrs[0]
			if family == corev1.IPv6Protocol {
				addr = node.addrs[1]
			}
			for _, port := range service.Spec.Ports {
				to := backends{addrs: endpoints(slices, family, port, on), local: local}
				if port.NodePort != 0 && len(to.addrs) > 0 && port.Protocol != corev1.ProtocolSCTP {
					want[socketKey{string(port.Protocol), netip.AddrPortFrom(addr, uint16(port.NodePort)), node.power}] = to
				}
			}
			if check := service.Spec.HealthCheckNodePort; check != 0 && len(service.Spec.Ports) > 0 {
				to := backends{addrs: endpoints(slices, family, service.Spec.Ports[0], on)}
				want[socketKey{healthSocket, netip.AddrPortFrom(addr, uint16(check)), node.power}] = to
			}
		}
	}
	return want, nil
}

// endpoints are where a Service's port leads, of one family and on one node
// ("" for all): the ready ones, or while there are none, those that terminate
// and still serve (KEP-1669, k8s.io/kubernetes/pkg/proxy/topology.go).
func endpoints(slices []*discoveryv1.EndpointSlice, family corev1.IPFamily, port corev1.ServicePort, node string) []netip.AddrPort {
	var ready, terminating []netip.AddrPort
	for _, s := range slices {
		if string(s.AddressType) != string(family) {
			continue
		}
		number, ok := slicePort(s, port)
		if !ok {
			continue
		}
		for _, e := range s.Endpoints {
			if node != "" && (e.NodeName == nil || *e.NodeName != node) {
				continue
			}
			addr, err := netip.ParseAddr(e.Addresses[0])
			if err != nil {
				continue
			}
			switch c := e.Conditions; {
			case c.Ready == nil || *c.Ready:
				ready = append(ready, netip.AddrPortFrom(addr, number))
			case c.Serving != nil && *c.Serving && c.Terminating != nil && *c.Terminating:
				terminating = append(terminating, netip.AddrPortFrom(addr, number))
			}
		}
	}
	if len(ready) > 0 {
		return ready
	}
	return terminating
}

// slicePort is the number that a Service's port has in a slice.
func slicePort(s *discoveryv1.EndpointSlice, port corev1.ServicePort) (uint16, bool) {
	for _, p := range s.Ports {
		if p.Name != nil && *p.Name == port.Name && p.Port != nil {
			return uint16(*p.Port), true
		}
	}
	return 0, false
}
