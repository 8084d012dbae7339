package main

import (
	"context"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
)

// look reads the cluster and the devices once; how, o says. Without o.Config it
// reads the configuration too.
func (c *common) look(ctx context.Context, o reconcile.LookOptions) (_ *reconcile.View, err error) {
	if o.Config == nil {
		if o.Config, err = config.Load(c.config); err != nil {
			return nil, err
		}
	}
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	identity, err := identify(ctx, client, o.Config)
	if err != nil {
		return nil, err
	}
	backends, logOut, err := devices(o.Config, identity, zap.NewNop(), f5.NewMetrics(prometheus.NewRegistry()), nil)
	if err != nil {
		return nil, err
	}
	defer logOut()
	kube, err := c.restConfig()
	if err != nil {
		return nil, err
	}
	if o.Dynamic, err = dynamic.NewForConfig(kube); err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	o.Client, o.Identity, o.Backends = client, identity, backends
	return reconcile.Look(ctx, o)
}

// lookAtSessions is look by o.Config, with what controllers say of their BGP
// sessions. That it is not known is a note, and no error.
func (c *common) lookAtSessions(ctx context.Context, l *leaseFlags, notes io.Writer, o reconcile.LookOptions) (*reconcile.View, []spoken, error) {
	var said []spoken
	if o.Config.BGP != nil {
		client, err := c.client()
		if err != nil {
			return nil, nil, err
		}
		if said, err = l.sessions(ctx, client, o.Config); err != nil {
			o.Mute = err.Error()
			fmt.Fprintln(notes, "sessions are not shown:", err)
		}
		for _, s := range said {
			o.Speakers = append(o.Speakers, s.Speaker)
		}
	}
	view, err := c.look(ctx, o)
	return view, said, err
}

func (c *common) client() (kubernetes.Interface, error) {
	kube, err := c.restConfig()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(kube)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	return client, nil
}

// checkOutput checks the value of -o.
func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("--output %q must be text or json", output)
	}
	return nil
}
