package main

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
)

// look reads the cluster and the devices once, for commands that only show.
func (c *common) look(ctx context.Context) (*reconcile.View, error) {
	conf, err := config.Load(c.config)
	if err != nil {
		return nil, err
	}
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	identity, err := identify(ctx, client, conf)
	if err != nil {
		return nil, err
	}
	backends, logOut, err := devices(conf, identity, zap.NewNop(), f5.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		return nil, err
	}
	defer logOut()
	return reconcile.Look(ctx, reconcile.LookOptions{Client: client, Config: conf, Identity: identity, Backends: backends})
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
