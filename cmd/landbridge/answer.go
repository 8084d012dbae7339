package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/config"
	"landbridge.dev/sync/inquiry"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
)

// answers is what answers those who ask this process: `landbridge status` and
// `landbridge plan` elsewhere.
func (c *controllerCommand) answers(client clients, conf *config.Config, r *reconcile.Reconciler, log *zap.Logger) (*inquiry.Server, error) {
	home, err := c.lease.leaseNamespace()
	if err != nil {
		return nil, err
	}
	return &inquiry.Server{
		Client: client.untyped, Home: home, Namespaces: conf.Namespaces,
		Answer: func(ctx context.Context, q inquiry.Question) (any, error) { return c.answer(ctx, client, conf, r, q) },
		Failed: func(err error) { log.Warn("inquiries", zap.Error(err)) },
	}, nil
}

// answer says how the Services stand that are asked about, or what would be
// changed for them.
func (c *controllerCommand) answer(ctx context.Context, client clients, conf *config.Config, r *reconcile.Reconciler, q inquiry.Question) (any, error) {
	of := func(ref state.Ref) bool {
		return (q.Namespace == "" || ref.Namespace == q.Namespace) && (q.Service == "" || ref.Name == q.Service)
	}
	o := reconcile.LookOptions{Live: of}
	if q.About == inquiry.Status { // a plan that lacks a device would be believed
		o.Partial, o.Queues, o.Measure = true, lookAtQueues(conf), time.Duration(q.MeasureSeconds)*time.Second
	}
	view, err := r.Look(ctx, o)
	if errors.Is(err, reconcile.ErrNotLeading) {
		return nil, fmt.Errorf("%w: %w", inquiry.ErrNotNow, err)
	}
	if err != nil {
		return nil, err
	}
	var said []spoken
	if conf.BGP != nil {
		if said, err = c.lease.sessions(ctx, client, conf); err != nil {
			view.Mute = err.Error()
		}
		for _, s := range said {
			view.Speakers = append(view.Speakers, s.Speaker)
		}
	}
	switch {
	case q.About == inquiry.Status && q.AllNamespaces:
		return view.Status(time.Now()), nil
	case q.About == inquiry.Status:
		return view.Status(time.Now()).Of(of), nil
	case !q.AllNamespaces:
		return view.PlanOf(time.Now(), of), nil
	}
	report := view.Plan(time.Now())
	report.Sessions = changedSessions(said, view.Config)
	return report, nil
}
