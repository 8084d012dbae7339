package watch

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"landbridge.dev/config"
	"landbridge.dev/sync/translate"
)

// networks is where the networks of pods are read.
type networks struct {
	source  string
	objects cache.SharedIndexInformer // of Calico or Cilium; nil for nodes
	changed func(wait time.Duration)
}

// endpointsWait is for how long endpoints that change are gathered before it is
// looked again where they are: that looks at all of them.
const endpointsWait = 500 * time.Millisecond

// WatchNetworks also watches what the networks of pods are read from, one of
// config's sources; changed is called when they, or where endpoints are in them,
// may have changed, with how long to wait for more. client is for Calico and
// Cilium alone. WatchNetworks comes before Run. Where a source is not there (a
// cluster without these resources), WaitSynced does not wait for it.
func (w *Watcher) WatchNetworks(source string, client dynamic.Interface, changed func(wait time.Duration)) error {
	n := &networks{source: source, changed: changed}
	var resource schema.GroupVersionResource
	switch source {
	case config.PodNetworksNone:
		return nil
	case config.PodNetworksCalico:
		resource = schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: "blockaffinities"}
	case config.PodNetworksCilium:
		resource = schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: "ciliumnodes"}
	}
	w.networks = n
	if resource.Resource == "" {
		return nil
	}
	n.objects = dynamicinformer.NewFilteredDynamicInformer(client, resource, corev1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	if err := n.objects.SetTransform(func(o any) (any, error) { stripNetwork(o); return o, nil }); err != nil {
		return fmt.Errorf("informer of %s: %w", resource.Resource, err)
	}
	notify := func(any) { changed(0) }
	_, err := n.objects.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: notify, DeleteFunc: notify, UpdateFunc: func(before, after any) {
			a, okA := before.(*unstructured.Unstructured)
			b, okB := after.(*unstructured.Unstructured)
			if !okA || !okB || !slices.Equal(n.read(a), n.read(b)) { // all endpoints are looked at for it
				changed(0)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("informer of %s: %w", resource.Resource, err)
	}
	return nil
}

// stripNetwork keeps what is looked at of a Calico or Cilium object.
func stripNetwork(o any) {
	if u, ok := o.(*unstructured.Unstructured); ok {
		u.SetManagedFields(nil)
		u.SetAnnotations(nil)
		u.SetLabels(nil)
		unstructured.RemoveNestedField(u.Object, "status")
	}
}

// WaitNetworks waits until the networks of pods have been read, or ctx ends.
func (w *Watcher) WaitNetworks(ctx context.Context) {
	if w.networks != nil && w.networks.objects != nil {
		cache.WaitForCacheSync(ctx.Done(), w.networks.objects.HasSynced)
	}
}

func (w *Watcher) networksChanged(wait time.Duration) {
	if w.networks != nil {
		w.networks.changed(wait)
	}
}

// Networks is what is known about the networks of pods. It looks at every
// endpoint.
func (w *Watcher) Networks() translate.Networks {
	var in translate.Networks
	if w.networks == nil {
		return in
	}
	for _, o := range w.nodes.GetStore().List() {
		in.Nodes = append(in.Nodes, o.(*corev1.Node))
	}
	if in.Known = w.networks.objects == nil || w.networks.objects.HasSynced(); !in.Known {
		return in
	}
	if w.networks.objects == nil {
		for _, n := range in.Nodes {
			in.Of = append(in.Of, networksOf(n.Name, n.Spec.PodCIDRs...)...)
		}
	} else {
		for _, o := range w.networks.objects.GetStore().List() {
			if u, ok := o.(*unstructured.Unstructured); ok {
				in.Of = append(in.Of, w.networks.read(u)...)
			}
		}
	}
	in.Astray = w.astray(in.Of)
	return in
}

// read reads a network of Calico or Cilium.
func (n *networks) read(u *unstructured.Unstructured) []translate.NodeNetwork {
	if n.source == config.PodNetworksCilium {
		return ciliumNetworks(u)
	}
	// A Calico BlockAffinity says which node an IPAM block is of. The state of
	// one that is not settled is pending; deleted is a text.
	text := func(field string) string {
		s, _, _ := unstructured.NestedString(u.Object, "spec", field)
		return s
	}
	if text("state") != "confirmed" || text("deleted") == "true" || text("type") == "virtual" {
		return nil
	}
	return networksOf(text("node"), text("cidr"))
}

// ciliumNetworks are those of a CiliumNode, of its one pool or of several.
func ciliumNetworks(u *unstructured.Unstructured) []translate.NodeNetwork {
	cidrs, _, _ := unstructured.NestedStringSlice(u.Object, "spec", "ipam", "podCIDRs")
	pools, _, _ := unstructured.NestedSlice(u.Object, "spec", "ipam", "pools", "allocated")
	for _, p := range pools {
		if pool, ok := p.(map[string]any); ok {
			more, _, _ := unstructured.NestedStringSlice(pool, "cidrs")
			cidrs = append(cidrs, more...)
		}
	}
	return networksOf(u.GetName(), cidrs...)
}

// networksOf reads a node's networks. What is none is left out.
func networksOf(node string, cidrs ...string) []translate.NodeNetwork {
	var all []translate.NodeNetwork
	for _, c := range cidrs {
		if p, err := netip.ParsePrefix(c); err == nil && node != "" {
			all = append(all, translate.NodeNetwork{Prefix: p.Masked(), Node: node})
		}
	}
	return all
}

// astray finds ready endpoints that are in a network of another node than they
// are on: of each such network one.
func (w *Watcher) astray(all []translate.NodeNetwork) map[netip.Prefix]string {
	of := make(map[netip.Prefix]string, len(all))
	lengths := map[int]bool{}
	for _, n := range all {
		of[n.Prefix] = n.Node
		lengths[n.Prefix.Bits()] = true
	}
	astray := map[netip.Prefix]string{}
	for _, informer := range w.slices {
		for _, o := range informer.GetStore().List() {
			slice := o.(*discoveryv1.EndpointSlice)
			for i := range slice.Endpoints {
				strayOf(&slice.Endpoints[i], of, lengths, astray)
			}
		}
	}
	return astray
}

func strayOf(e *discoveryv1.Endpoint, of map[netip.Prefix]string, lengths map[int]bool, astray map[netip.Prefix]string) {
	if e.NodeName == nil || e.Conditions.Ready != nil && !*e.Conditions.Ready {
		return
	}
	for _, text := range e.Addresses {
		a, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		for bits := range lengths {
			p, err := a.Prefix(bits)
			if err != nil {
				continue // longer than addresses of this family
			}
			if node, is := of[p]; is && node != *e.NodeName {
				where := text + " on " + *e.NodeName
				if have, is := astray[p]; !is || where < have { // the same whatever the order
					astray[p] = where
				}
			}
		}
	}
}
