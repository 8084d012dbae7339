package main

import "context"

// ordersConfig is what the platform team adds for the queue.
const ordersConfig = `    consume: [orders.*]
mq:
  urls: [$MQ]
  credentialsDir: $DIR/mq
  managementURLs: [$MQ_MANAGEMENT]
`

// grant gives the configuration its section for the broker.
func (o *orders) grant() error {
	if err := o.reconfigure(func(text string) (string, error) { return text + o.world.Expand(ordersConfig), nil }); err != nil {
		return err
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
