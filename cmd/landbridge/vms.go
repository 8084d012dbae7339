package main

import (
	"context"
	"net/netip"
	"sync"

	"go.uber.org/zap"

	"landbridge.dev/config"
	"landbridge.dev/mq/announce"
	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/registry"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
)

// duties are what only the leader does beside making changes: each works until
// its context ends. Who loses the lease has ended them before he says so.
type duties struct {
	all []func(ctx context.Context, term int64)

	mu      sync.Mutex
	working sync.WaitGroup
}

// begin does the duties until ctx ends, in a term that is greater than all
// before.
func (d *duties) begin(ctx context.Context, term int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	for _, do := range d.all {
		d.working.Go(func() { do(ctx, term) })
	}
}

// end waits until they are done with. The context of begin has to have ended.
func (d *duties) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.working.Wait()
}

// vms are the parts of a controller that speak with VMs over the broker.
type vms struct {
	hub *broker.Hub
	registered
	announced
}

// Each is a Server of its package; together they are reconcile.VMs.
type (
	registered struct{ *registry.Server }
	announced  struct{ *announce.Server }
)

// newVMs makes them; nil without a broker. reconciler is asked once they work.
func newVMs(conf *config.Config, identity string, reconciler func() *reconcile.Reconciler, shown *metrics, log *zap.Logger) *vms {
	if conf.MQ == nil {
		return nil
	}
	hub := broker.NewHub(brokerDialer(*conf.MQ, "landbridge controller "+identity, shown.certificates), log, shown.links)
	return &vms{
		hub: hub,
		registered: registered{registry.New(registry.Options{
			Hub: hub, Cluster: conf.Cluster, Vhost: conf.MQ.VMVhost, Log: log.Named("registry"), Metrics: shown.registry,
			Belongs: func(a netip.Addr) string { return reconciler().Whose(a) },
			Changed: func(ref state.Ref) { reconciler().Recount(ref) },
		})},
		announced: announced{announce.New(announce.Options{
			Hub: hub, Cluster: conf.Cluster, Vhost: conf.MQ.VMVhost, Log: log.Named("announce"), Metrics: shown.announcements,
		})},
	}
}

// duties are what a leader does of it.
func (v *vms) duties(reconciler func() *reconcile.Reconciler) []func(context.Context, int64) {
	return []func(context.Context, int64){
		func(ctx context.Context, _ int64) { v.registered.Lead(ctx, reconciler().Standing()) },
		func(ctx context.Context, term int64) { v.announced.Lead(ctx, term) },
	}
}
