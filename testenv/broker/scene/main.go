package scene

import (
	"context"
	"fmt"
	"os"
	"time"

	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/debian"
	"landbridge.dev/testenv/netns"
)

// Main is the body of a TestMain whose tests share a broker, in namespaces of
// their own: started is told of it before the first test. Further packages of
// Debian are installed as well. It does not return.
func Main(m netns.Runner, o broker.Options, started func(*broker.Node), packages ...string) {
	netns.Main(withBroker{m, o, started}, netns.Options{Prepare: func(ctx context.Context) error {
		return debian.Install(ctx, os.Stderr, append(packages, broker.Package)...)
	}})
}

type withBroker struct {
	m       netns.Runner
	o       broker.Options
	started func(*broker.Node)
}

// Run runs the tests beside a broker.
func (w withBroker) Run() int {
	dir, err := os.MkdirTemp("", "landbridge-broker-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	w.o.Dir = dir
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	node, err := broker.Start(ctx, w.o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = node.Kill() }()
	w.started(node)
	return w.m.Run()
}
