package main

import (
	"context"
	"os"
)

// ordersConfig is what the platform team adds for the queue.
const ordersConfig = `    consume: [orders.*]
mq:
  urls: [$MQ]
  credentialsDir: $DIR/mq
  managementURLs: [$MQ_MANAGEMENT]
`

// grant gives the configuration its section for the broker. A controller takes
// that up when it starts.
func (o *orders) grant() error {
	for _, path := range []string{o.world.Config(), o.readers()} {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, append(raw, o.world.Expand(ordersConfig)...), 0o600); err != nil {
			return err
		}
	}
	o.said("config", ordersConfig)
	return nil
}

// startGateway starts the controller anew and a gateway, as processes.
func (o *orders) startGateway(ctx context.Context) error {
	c, err := o.world.Controller("landbridge")
	if err != nil {
		return err
	}
	if err := c.Stop(ctx); err != nil {
		return err
	}
	if err := o.controller(ctx); err != nil {
		return err
	}
	g, err := o.world.StartGateway("gateway")
	if err != nil {
		return err
	}
	return g.AwaitStandby(ctx)
}

func (o *orders) stopGateway(ctx context.Context) error {
	g, err := o.world.Controller("gateway")
	if err != nil {
		return err
	}
	return g.Stop(ctx)
}
