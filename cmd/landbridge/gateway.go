package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/zapr"
	"github.com/google/uuid"
	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"landbridge.dev/config"
	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/dispatch"
	"landbridge.dev/mq/manage"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/watch"
)

// errNoBroker is a configuration without a broker.
var errNoBroker = errors.New("the configuration has no section mq: there is no broker")

type gatewayCommand struct {
	common
	process process
	api     apiFlags
	grace   time.Duration
}

func newGateway() *cobra.Command {
	g := &gatewayCommand{}
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Carry messages between the broker's queues and pods, until told to stop",
		Long: "Gateway delivers the messages of queues to the pods of the Services that serve\n" +
			"them (landbridge.dev/mq-consume), and takes messages and questions by HTTP from\n" +
			"pods that speak no AMQP. Any number of replicas may run.\n\n" +
			"It writes nothing to Kubernetes: what it serves, a controller has written down\n" +
			"on the Services before. When it is told to stop it takes nothing more, gives\n" +
			"back what it has not begun, and waits for what pods have.",
		Example: "  landbridge gateway --config landbridge.yaml",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return g.run(cmd.Context()) },
	}
	f := cmd.Flags()
	g.register(f)
	g.process.register(f)
	g.api.register(f)
	f.DurationVar(&g.grace, "grace", dispatch.DefaultGrace, "how long to wait at the end for what pods have; less than the pod's terminationGracePeriodSeconds")
	return cmd
}

// run wires the gateway, and works until ctx ends or a part of it fails.
func (g *gatewayCommand) run(ctx context.Context) error {
	log, level, err := newLogger(g.process.logLevel)
	if err != nil {
		return err
	}
	klog.SetLogger(zapr.NewLogger(log.Named("client-go")))
	conf, err := config.Load(g.config)
	if err != nil {
		return err
	}
	if conf.MQ == nil {
		return errNoBroker
	}
	k, err := g.clients()
	if err != nil {
		return err
	}
	return g.process.serveWhile(ctx, log, level, func(ctx context.Context, registry *prometheus.Registry, health *health) error {
		return g.serve(ctx, conf, k.Interface, k.reader, registry, health, log)
	})
}

// serve serves queues until ctx ends, and ends in order: first nothing more is
// taken, then what pods have is settled, then the connections close.
func (g *gatewayCommand) serve(ctx context.Context, conf *config.Config, client, reader kubernetes.Interface, registry *prometheus.Registry, health *health, log *zap.Logger) error {
	replica := strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	log.Info("starting", zap.String("version", version), zap.String("cluster", conf.Cluster), zap.String("replica", replica))
	shown := newGatewayMetrics(registry)
	hub := broker.NewHub(brokerDialer(*conf.MQ, manage.ConnectionName(conf.Cluster, replica), shown.certificates), log, shown.links)
	rates, err := watchQueues(conf, shown.certificates, nil)
	if err != nil {
		return err
	}
	s := &served{
		queues: ledger.NewQueues(), rates: rates, ready: make(chan struct{}),
		changed: workqueue.NewTyped[state.Ref](),
	}
	s.policy.Store(conf)
	s.dispatcher = dispatch.New(dispatch.Options{
		Hub: hub, Names: broker.Names{Cluster: conf.Cluster}, Replica: replica, MayReply: s.mayReply, Rates: rates, Grace: g.grace,
		Log: log, Metrics: shown.dispatcher,
	})
	s.register(registry)
	if s.watch, err = watch.New(reader, conf.Namespaces, func(ref state.Ref) { s.changed.Add(ref) }, nil); err != nil {
		return err
	}
	health.watch(s.isReady)
	shown.certificates.file(ofGateway, g.api.cert)
	api, err := g.api.open(hub, s, newTokens(client), shown.api, log)
	if err != nil {
		return err
	}

	// The connections end last: until then what pods have is acknowledged, and
	// who publishes is told what became of his message.
	links, unlink := context.WithCancel(context.WithoutCancel(ctx))
	defer unlink()
	var users atomic.Int32
	users.Store(2)
	unused := func() {
		if users.Add(-1) == 0 {
			unlink()
		}
	}
	var group run.Group
	group.Add(actor(ctx, s.watch.Run))
	group.Add(actor(ctx, s.run))
	group.Add(actor(ctx, rates.Run))
	group.Add(actor(ctx, func(ctx context.Context) error {
		defer unused()
		return s.dispatcher.Run(ctx)
	}))
	group.Add(func() error { return hub.Run(links) }, func(error) {})
	group.Add(api.serve, func(err error) {
		defer unused()
		api.close(err)
	})
	group.Add(actor(ctx, func(ctx context.Context) error {
		return reloadConfig(ctx, g.config, conf, g.process.reloadEvery, s.reload, shown.stale, log)
	}))
	return group.Run()
}
