package histories

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"landbridge.dev/config"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// cluster is one Kubernetes cluster: what its API server holds, and the
// replicas of the controller in it. It belongs to the goroutine that plays.
type cluster struct {
	index    int
	identity state.Identity
	grants   Grants
	config   *config.Config // what they say
	services map[state.Ref]*service
	nodes    [nodeCount]NodeCondition
	replicas []*replica
	routers  *routers
	changed  map[state.Ref]time.Time // when people last changed a Service, or what it is made of
	away     bool                    // the API server answers nobody
	made     int                     // Services so far, which gives each its age
}

// service is a Service and its endpoints. The object is replaced, not
// changed, since caches hold it.
type service struct {
	object *corev1.Service
	pods   [podCount]Condition
	lost   bool // the API server shows none of its EndpointSlices
}

// theCopy is the index of the cluster with the first one's name.
const theCopy = 2

func newCluster(p *play, index int, grants Grants) (*cluster, error) {
	c := &cluster{
		index:    index,
		identity: state.Identity{Cluster: []string{"prod", "test", "prod"}[index], UID: []string{"0123abcd", "4567cdef", "89ab0123"}[index]},
		services: map[state.Ref]*service{}, changed: map[state.Ref]time.Time{},
	}
	c.routers = newRouters(p, c)
	return c, c.configure(grants)
}

func (c *cluster) configure(g Grants) (err error) {
	c.grants = g
	c.config, err = config.Parse(g.yaml(c.identity.Cluster, c.index))
	return err
}

// input is what a replica's caches hold of a Service.
func (c *cluster) input(ref state.Ref) (translate.Input, bool) {
	s := c.services[ref]
	if s == nil {
		return translate.Input{}, false
	}
	in := translate.Input{Service: s.object, Nodes: nodesOf(c.index, c.nodes)}
	if !s.lost {
		in.Slices = slicesOf(s.object, s.pods)
	}
	return in, true
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

// event lets every replica see a Service, unless the API server is away.
func (c *cluster) event(ref state.Ref) {
	if c.away {
		return
	}
	c.changed[ref] = time.Now()
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
