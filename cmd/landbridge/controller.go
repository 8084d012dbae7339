package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/go-logr/zapr"
	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
)

type controllerCommand struct {
	common
	lease   leaseFlags
	speaker speakerFlags
	process process
}

func newController() *cobra.Command {
	c := &controllerCommand{}
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Keep the devices in step with the cluster, until told to stop",
		Example: "  landbridge controller --config landbridge.yaml\n" +
			"  landbridge controller --config landbridge.yaml --lease-namespace landbridge-system   # outside of a pod",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) },
	}
	f := cmd.Flags()
	c.register(f)
	c.lease.register(f)
	c.process.register(f)
	f.StringVar(&c.speaker.address, "bgp-address", "", "this replica's own address: source of BGP sessions and router ID (default: $"+podIP+")")
	return cmd
}

// run wires the controller, and works until ctx ends or a part of it fails.
func (c *controllerCommand) run(ctx context.Context) error {
	log, level, err := newLogger(c.process.logLevel)
	if err != nil {
		return err
	}
	klog.SetLogger(zapr.NewLogger(log.Named("client-go")))
	conf, err := config.Load(c.config)
	if err != nil {
		return err
	}
	k, err := c.clients()
	if err != nil {
		return err
	}
	return c.process.serveWhile(ctx, log, level, func(ctx context.Context, registry *prometheus.Registry, health *health) error {
		return c.control(ctx, conf, k, registry, health, log)
	})
}

// garbage is how much of the heap may be garbage, in per cent of what is alive.
// Nearly all of that is caches which grow with the cluster and change slowly:
// collecting more often costs little, and the usual 100 would double them.
const garbage = 30

// control runs the reconciler once the API server has said who we are.
func (c *controllerCommand) control(ctx context.Context, conf *config.Config, client clients, registry *prometheus.Registry, health *health, log *zap.Logger) error {
	identity, err := awaitIdentity(ctx, client, conf, log)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	log.Info("starting", zap.String("version", version), zap.String("cluster", identity.Cluster), zap.String("uid", identity.UID))
	shown := newMetrics(registry)
	backends, logOut, err := devices(conf, identity, log, shown.devices, shown.certificates)
	if err != nil {
		return err
	}
	defer logOut()
	speaker, err := c.speaker.speaker(conf, log, shown.speaker)
	if err != nil {
		return err
	}
	if speaker != nil {
		backends = append(backends, announcer(speaker, conf))
	}
	replica, err := newReplica()
	if err != nil {
		return err
	}
	traces := newTraces(replica, log)
	defer traces.close()
	events := record.NewBroadcaster()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	defer events.Shutdown()
	var reconciler *reconcile.Reconciler
	queues, err := watchQueues(conf, shown.certificates, func(ref state.Ref) { reconciler.Requeue(ref) })
	if err != nil {
		return err
	}
	options := reconcile.Options{
		Client: client, Reader: client.reader, Dynamic: client.untyped, Config: conf, Identity: identity, Backends: backends,
		Events:  events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "landbridge"}),
		Log:     log,
		Metrics: shown.reconciler,
		Workers: shown.workers,
		Holds:   c.lease.tenure.holds,
		Traces:  traces.recorder,
	}
	if queues != nil {
		options.Queues = queues
	}
	duties := &duties{}
	current := func() *reconcile.Reconciler { return reconciler }
	machines := newVMs(conf, identity.UID, current, shown, log)
	if machines != nil {
		options.VMs = machines
		duties.all = machines.duties(current)
	}
	if reconciler, err = reconcile.New(options); err != nil {
		return err
	}
	health.watch(reconciler.Ready)

	// The lease is given up last: until then no other may act beside the
	// calls that are still in flight.
	lease, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	var group run.Group
	group.Add(actor(ctx, func(ctx context.Context) error {
		defer release()
		return reconciler.Run(ctx)
	}))
	group.Add(func() error { return c.lease.lead(lease, client, replica, reconciler, duties, log) }, func(error) {})
	group.Add(actor(ctx, func(ctx context.Context) error {
		return c.lease.watchAllowances(ctx, client, reconciler, log)
	}))
	answers, err := c.answers(client, conf, reconciler, log)
	if err != nil {
		return err
	}
	group.Add(actor(ctx, answers.Run))
	if queues != nil {
		group.Add(actor(ctx, queues.Run))
	}
	if machines != nil {
		group.Add(func() error { return machines.hub.Run(lease) }, func(error) {})
	}
	group.Add(actor(ctx, func(ctx context.Context) error {
		return reloadConfig(ctx, c.config, conf, c.process.reloadEvery, func(next *config.Config) {
			reconciler.Reload(next)
			if speaker != nil {
				speaker.Reconfigure(ctx, next.BGP)
			}
		}, shown.stale, log)
	}))
	if speaker != nil {
		group.Add(actor(ctx, func(ctx context.Context) error { return speaker.Run(ctx, c.process.reloadEvery) }))
		group.Add(actor(ctx, func(ctx context.Context) error {
			return c.lease.publishSessions(ctx, client, replica, speaker, log)
		}))
	}
	return group.Run()
}

// reloadConfig takes up changes of a configuration file.
func reloadConfig(ctx context.Context, path string, conf *config.Config, every time.Duration, reload func(*config.Config), stale prometheus.Gauge, log *zap.Logger) error {
	return config.Watch(ctx, path, conf, every, func(next *config.Config) {
		log.Info("configuration reloaded")
		stale.Set(0)
		reload(next)
	}, func(err error) {
		log.Error("configuration not reloaded; the one before stays in force", zap.Error(err))
		stale.Set(1)
	})
}

// newLogger makes a log whose level can be changed while it is in use.
func newLogger(level string) (*zap.Logger, zap.AtomicLevel, error) {
	c := zap.NewProductionConfig()
	if err := c.Level.UnmarshalText([]byte(level)); err != nil {
		return nil, c.Level, fmt.Errorf("--log-level: %w", err)
	}
	c.Sampling = nil // an audit line must not be dropped
	c.EncoderConfig.EncodeTime = iso8601
	c.DisableStacktrace = true
	log, err := c.Build()
	return log, c.Level, err
}
