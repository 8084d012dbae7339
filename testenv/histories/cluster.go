package histories

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"landbridge.dev/config"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// cluster is one Kubernetes cluster: what its API server holds, and the
// replicas of the controller in it. It belongs to the goroutine that plays.
type cluster struct {
	index    int
	identity state.Identity
	config   *config.Config
	services map[state.Ref]*service
	nodes    [nodeCount]NodeCondition
	replicas []*replica
	away     bool // the API server answers nobody
	made     int  // Services so far, which gives each its age
}

// service is a Service and its endpoints. The object is replaced, not
// changed, since caches hold it.
type service struct {
	object *corev1.Service
	pods   [podCount]Condition
}

func newCluster(index int, grants Grants) (*cluster, error) {
	c := &cluster{
		index:    index,
		identity: state.Identity{Cluster: []string{"prod", "test"}[index], UID: []string{"0123abcd", "4567cdef"}[index]},
		services: map[state.Ref]*service{},
	}
	return c, c.configure(grants)
}

func (c *cluster) configure(g Grants) (err error) {
	c.config, err = config.Parse(g.yaml(c.identity.Cluster))
	return err
}

// input is what a replica's caches hold of a Service.
func (c *cluster) input(ref state.Ref) (translate.Input, bool) {
	s := c.services[ref]
	if s == nil {
		return translate.Input{}, false
	}
	return translate.Input{Service: s.object, Slices: slicesOf(s.object, s.pods), Nodes: nodesOf(c.index, c.nodes)}, true
}

// refs are the Services that there are, sorted.
func (c *cluster) refs() []state.Ref {
	var refs []state.Ref
	for _, ref := range services() {
		if c.services[ref] != nil {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, state.Ref.Compare)
	return refs
}

// put makes a Service, or changes its Spec.
func (c *cluster) put(ref state.Ref, spec Spec) {
	s := c.services[ref]
	if s == nil {
		c.made++
		s = &service{object: &corev1.Service{ObjectMeta: metav1.ObjectMeta{
			Namespace: ref.Namespace, Name: ref.Name, UID: types.UID(ref.String()),
			CreationTimestamp: metav1.NewTime(time.Now().Add(time.Duration(c.made) * time.Second)),
		}}}
		for i := range podCount / 2 {
			s.pods[(c.made+i)%podCount] = Ready
		}
		c.services[ref] = s
	}
	s.object = s.object.DeepCopy()
	spec.write(s.object)
	c.event(ref)
}

// remove deletes a Service; while it has a finalizer it stays, being deleted.
func (c *cluster) remove(ref state.Ref) {
	s := c.services[ref]
	if s == nil {
		return
	}
	if len(s.object.Finalizers) == 0 {
		delete(c.services, ref)
	} else if s.object.DeletionTimestamp == nil {
		s.object = s.object.DeepCopy()
		s.object.DeletionTimestamp = new(metav1.Now())
	}
	c.event(ref)
}

// vanish takes a Service away with its finalizer, as a person can, or a
// restored etcd.
func (c *cluster) vanish(ref state.Ref) {
	delete(c.services, ref)
	c.event(ref)
}

// setFinalizer puts ours on or takes it off. The API server may be away.
func (c *cluster) setFinalizer(ref state.Ref, on bool) {
	s := c.services[ref]
	if c.away || s == nil {
		return
	}
	s.object = s.object.DeepCopy()
	s.object.Finalizers = nil
	if on {
		s.object.Finalizers = []string{report.Finalizer}
	}
	if s.object.DeletionTimestamp != nil && !on {
		delete(c.services, ref)
	}
	c.event(ref)
}

// event lets every replica see a Service, unless the API server is away.
func (c *cluster) event(ref state.Ref) {
	if c.away {
		return
	}
	for _, r := range c.replicas {
		if r.ready {
			r.translate(ref)
		}
	}
}

// events lets every replica see everything anew: after a change of nodes or of
// the configuration, and when the API server is back.
func (c *cluster) events() {
	for _, ref := range services() {
		c.event(ref)
	}
}

// leader is the replica that leads; nil for none.
func (c *cluster) leader() *replica {
	for _, r := range c.replicas {
		if r.leading {
			return r
		}
	}
	return nil
}
