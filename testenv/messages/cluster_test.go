package messages_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"landbridge.dev/testenv/broker"
)

// A cluster of three nodes, whose queue lives on all of them: the node that leads
// it is killed under load. Gateways and VMs go on at the others, before it is back.
// (Of a node that hangs the others take notice after net_ticktime, a minute.)
func TestNodeIsLost(t *testing.T) {
	starting, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	nodes, err := broker.StartCluster(starting, t.TempDir(), 3)
	for _, n := range nodes {
		t.Cleanup(func() { _ = n.Kill() })
	}
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nodes[0])
	w.MQ.URLs, w.MQ.ManagementURLs = nil, nil
	for _, n := range nodes {
		w.MQ.URLs, w.MQ.ManagementURLs = append(w.MQ.URLs, n.URL()), append(w.MQ.ManagementURLs, n.ManagementURL())
	}
	w.start()
	w.start()
	w.produce("http", "amqp-a", "amqp-b")
	for _, g := range w.gateways {
		w.consumes(t.Context(), g.replica, true)
	}
	w.play(fault{"the node that leads the queue is killed", func(ctx context.Context, w *world) error {
		leader, err := w.leader(ctx, nodes)
		if err != nil {
			return err
		}
		if err := leader.Kill(); err != nil {
			return err
		}
		w.leadsAnother(ctx, nodes, leader)
		return leader.Start(ctx)
	}})
	w.account()
	for _, g := range w.gateways {
		g.drain()
	}
}

// leader is the node that leads the queue.
func (w *world) leader(ctx context.Context, nodes []*broker.Node) (*broker.Node, error) {
	var q struct {
		Leader  string
		Members []string
	}
	if err := w.Node.API(ctx, http.MethodGet, "/api/queues/"+w.Vhost+"/"+queue, nil, &q); err != nil {
		return nil, err
	}
	if len(q.Members) != len(nodes) {
		return nil, fmt.Errorf("queue %s lives on %v, want all nodes", queue, q.Members)
	}
	for _, n := range nodes {
		if strings.HasSuffix(n.Log(), "/"+q.Leader+".log") {
			return n, nil
		}
	}
	return nil, fmt.Errorf("node %q leads queue %s, and is none of ours", q.Leader, queue)
}

// leadsAnother waits until another node leads the queue than the one that is
// lost, and messages are taken and have their effect there. What is asked is
// asked of another node from now on.
func (w *world) leadsAnother(ctx context.Context, nodes []*broker.Node, lost *broker.Node) {
	for _, n := range nodes {
		if n != lost {
			w.Node = n
		}
	}
	w.Within(time.Minute, "another node leads the queue", func() bool {
		now, err := w.leader(ctx, nodes)
		return err == nil && now != lost
	})
	before, effects := w.answers.count(taken), w.ledger.Effects()
	w.Within(2*time.Minute, "messages are taken and have their effect", func() bool {
		return w.answers.count(taken) > before+20 && w.ledger.Effects() > effects+20
	})
}
