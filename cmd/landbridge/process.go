package main

import (
	"context"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
)

// process is what the controller and the gateway have in common: what they serve
// about themselves, their log, and how they take up their configuration.
type process struct {
	listen      string
	debugListen string
	logLevel    string
	reloadEvery time.Duration
}

func (p *process) register(f *pflag.FlagSet) {
	f.StringVar(&p.listen, "listen", ":8080", "address for /metrics, /healthz and /readyz")
	f.StringVar(&p.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&p.debugListen, "debug-listen", "", "loopback address for profiles (/debug/pprof/) and to change the log's level (PUT /log-level); empty for none")
	f.DurationVar(&p.reloadEvery, "reload-interval", 5*time.Second, "how often the configuration file is looked at")
}

// serveWhile serves metrics, health and, where asked for, profiles for as long as
// work does. It ends with work, with ctx, or when it cannot serve.
func (p *process) serveWhile(ctx context.Context, log *zap.Logger, level zap.AtomicLevel, work func(context.Context, *prometheus.Registry, *health) error) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	health := &health{}
	server, err := listen(p.listen, registry, health)
	if err != nil {
		return err
	}
	var group run.Group
	group.Add(server.serve, server.close)
	if p.debugListen != "" {
		debug, err := listenDebug(p.debugListen, level)
		if err != nil {
			return err
		}
		group.Add(debug.serve, debug.close)
	}
	group.Add(run.ContextHandler(ctx))
	group.Add(actor(ctx, func(ctx context.Context) error { return work(ctx, registry, health) }))
	if err := group.Run(); ctx.Err() == nil {
		return err
	}
	log.Info("stopped") // as it was told to
	return nil
}

// actor makes a member of a run group that ends when another has.
func actor(ctx context.Context, execute func(context.Context) error) (func() error, func(error)) {
	ctx, cancel := context.WithCancel(ctx)
	return func() error { return execute(ctx) }, func(error) { cancel() }
}
