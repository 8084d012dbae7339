package main

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/zapr"
	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/watch"
)

type controllerCommand struct {
	common
	lease       leaseFlags
	listen      string
	logLevel    string
	reloadEvery time.Duration
}

func newController() *cobra.Command {
	c := &controllerCommand{}
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Keep the devices in step with the cluster, until told to stop",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) },
	}
	f := cmd.Flags()
	c.register(f)
	c.lease.register(f)
	f.StringVar(&c.listen, "listen", ":8080", "address for /metrics, /healthz and /readyz")
	f.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")
	f.DurationVar(&c.reloadEvery, "reload-interval", 5*time.Second, "how often the configuration file is looked at")
	return cmd
}

// run wires the controller, and works until ctx ends or a part of it fails.
func (c *controllerCommand) run(ctx context.Context) error {
	log, err := newLogger(c.logLevel)
	if err != nil {
		return err
	}
	klog.SetLogger(zapr.NewLogger(log.Named("client-go")))
	conf, err := config.Load(c.config)
	if err != nil {
		return err
	}
	kube, err := c.restConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(kube)
	if err != nil {
		return fmt.Errorf("kubernetes: %w", err)
	}
	kube.Wrap(watch.Patient)
	reader, err := kubernetes.NewForConfig(kube)
	if err != nil {
		return fmt.Errorf("kubernetes: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	health := &health{}
	server, err := listen(c.listen, registry, health)
	if err != nil {
		return err
	}
	var group run.Group
	group.Add(server.serve, server.close)
	group.Add(run.ContextHandler(ctx))
	group.Add(actor(ctx, func(ctx context.Context) error {
		return c.control(ctx, conf, client, reader, registry, health, log)
	}))
	if err := group.Run(); ctx.Err() == nil {
		return err
	}
	log.Info("stopped") // as it was told to
	return nil
}

// control runs the reconciler once the API server has said who we are.
func (c *controllerCommand) control(ctx context.Context, conf *config.Config, client, reader kubernetes.Interface, registry *prometheus.Registry, health *health, log *zap.Logger) error {
	identity, err := awaitIdentity(ctx, client, conf, log)
	if err != nil {
		return err
	}
	log.Info("starting", zap.String("version", version), zap.String("cluster", identity.Cluster), zap.String("uid", identity.UID))
	backends, logOut, err := devices(conf, identity, log, f5.NewMetrics(registry))
	if err != nil {
		return err
	}
	defer logOut()
	events := record.NewBroadcaster()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	defer events.Shutdown()
	reconciler, err := reconcile.New(reconcile.Options{
		Client: client, Reader: reader, Config: conf, Identity: identity, Backends: backends,
		Events:  events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "landbridge"}),
		Log:     log,
		Metrics: reconcile.NewMetrics(registry),
		Workers: apply.NewMetrics(registry),
	})
	if err != nil {
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
	group.Add(func() error { return c.lease.lead(lease, client, reconciler, log) }, func(error) {})
	group.Add(actor(ctx, func(ctx context.Context) error {
		return c.lease.watchAllowances(ctx, client, reconciler, log)
	}))
	group.Add(actor(ctx, func(ctx context.Context) error {
		return c.reload(ctx, conf, reconciler, registry, log)
	}))
	return group.Run()
}

// reload takes up changes of the configuration file.
func (c *controllerCommand) reload(ctx context.Context, conf *config.Config, reconciler *reconcile.Reconciler, registry *prometheus.Registry, log *zap.Logger) error {
	stale := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "landbridge_config_stale",
		Help: "1 while the configuration file differs from what is in force, because it is not valid or takes a restart.",
	})
	registry.MustRegister(stale)
	return config.Watch(ctx, c.config, conf, c.reloadEvery, func(next *config.Config) {
		log.Info("configuration reloaded")
		stale.Set(0)
		reconciler.Reload(next)
	}, func(err error) {
		log.Error("configuration not reloaded; the one before stays in force", zap.Error(err))
		stale.Set(1)
	})
}

// actor makes a member of a run group that ends when another has.
func actor(ctx context.Context, execute func(context.Context) error) (func() error, func(error)) {
	ctx, cancel := context.WithCancel(ctx)
	return func() error { return execute(ctx) }, func(error) { cancel() }
}

func newLogger(level string) (*zap.Logger, error) {
	c := zap.NewProductionConfig()
	if err := c.Level.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	c.Sampling = nil // an audit line must not be dropped
	c.EncoderConfig.EncodeTime = iso8601
	c.DisableStacktrace = true
	return c.Build()
}
