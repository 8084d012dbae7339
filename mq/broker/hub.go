package broker

import (
	"context"
	"sync"

	"go.uber.org/zap"
)

// Roles of links: what consumes and what publishes are apart, because an alarm
// stops whole connections that publish, and must not stop acknowledgements.
const (
	RoleConsume = "consume"
	RolePublish = "publish"
	RoleControl = "control"
	// RoleAnswer sends answers to addresses that others name: RabbitMQ 3.10
	// closes the connection over one that it cannot read. So each namespace
	// has its own.
	RoleAnswer = "answer"
)

// Hub holds the links of one process, one for each vhost and role, or for each
// namespace as well, made when they are first asked for. It is safe for
// concurrent use.
type Hub struct {
	dialer  *Dialer
	log     *zap.Logger
	metrics *Metrics

	mu      sync.Mutex
	links   map[[3]string]*Link
	ctx     context.Context //nolint:containedctx // that of Run, for links that come later
	running sync.WaitGroup
}

// NewHub makes a hub; its links connect while it runs. metrics may be nil.
func NewHub(d *Dialer, log *zap.Logger, metrics *Metrics) *Hub {
	return &Hub{dialer: d, log: log, metrics: metrics, links: map[[3]string]*Link{}}
}

// Run connects links until ctx ends, and returns when all are closed.
func (h *Hub) Run(ctx context.Context) error {
	h.mu.Lock()
	h.ctx = ctx
	for _, l := range h.links {
		h.running.Go(func() { l.Run(ctx) })
	}
	h.mu.Unlock()
	<-ctx.Done()
	h.running.Wait()
	return nil
}

// Link is the one for a vhost and a role.
func (h *Hub) Link(vhost, role string) *Link { return h.LinkOf("", vhost, role) }

// LinkOf is that of one namespace: what closes it is no other's matter.
func (h *Hub) LinkOf(namespace, vhost, role string) *Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := [3]string{namespace, vhost, role}
	l := h.links[key]
	if l == nil {
		l = newLink(h.dialer, namespace, vhost, role, h.log, h.metrics)
		h.links[key] = l
		if h.ctx != nil && h.ctx.Err() == nil {
			ctx := h.ctx
			h.running.Go(func() { l.Run(ctx) })
		}
	}
	return l
}
