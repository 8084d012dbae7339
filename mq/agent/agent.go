package agent

import (
	"context"
	"sync"

	"go.uber.org/zap"

	"landbridge.dev/mq/broker"
)

// window is how many messages of an agent are on their way to the broker.
const window = 16

// Agent is one VM's.
type Agent struct {
	config *Config
	hub    *broker.Hub
	caller *broker.Caller
	log    *zap.Logger
}

// New makes an agent. It starts nothing: Run does.
func New(c *Config, log *zap.Logger) *Agent {
	hub := broker.NewHub(broker.NewDialer(c.MQ, "landbridge agent "+c.Instance), log, nil)
	return &Agent{config: c, hub: hub, caller: broker.NewCaller(hub.Link(c.Vhost, broker.RolePublish), window, 0, nil), log: log}
}

// Run works until ctx ends, then drains what is registered, and returns.
func (a *Agent) Run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var links, registering, following sync.WaitGroup
	links.Go(func() { _ = a.hub.Run(work) }) // ends without an error, with work
	for _, r := range a.config.Register {
		registering.Go(func() { newRegistrar(a, r).run(work, ctx.Done()) })
	}
	for _, w := range a.config.Want {
		following.Go(func() { newFollower(a, w).run(ctx) })
	}
	following.Wait()
	if len(a.config.Want) == 0 {
		<-ctx.Done()
	}
	registering.Wait()
	a.caller.Close()
	cancel()
	links.Wait()
}
