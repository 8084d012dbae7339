package broker

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// StartCluster starts n nodes that form a cluster, each in a folder below dir.
func StartCluster(ctx context.Context, dir string, n int) ([]*Node, error) {
	cookie := rand.Text()
	var nodes []*Node
	for i := range n {
		o := Options{Dir: filepath.Join(dir, fmt.Sprintf("node-%d", i+1)), cookie: cookie}
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
		node, err := newNode(o)
		if err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
		nodes = append(nodes, node)
	}
	var names []string
	for _, node := range nodes {
		names = append(names, node.o.name)
	}
	// The others join the first, which is up by then: nodes that start at once
	// wait for each other no longer than some seconds, and then go on alone.
	for _, node := range nodes[1:] {
		node.o.peers = slices.Clone(names)
		if err := os.Chmod(node.path("home/.erlang.cookie"), 0o600); err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
		if err := node.writeFiles(); err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
	}
	if err := nodes[0].Start(ctx); err != nil {
		return nodes, err
	}
	var starting errgroup.Group
	for _, node := range nodes[1:] {
		starting.Go(func() error {
			if err := node.Start(ctx); err != nil {
				return err
			}
			// It serves before it counts as running: of a vhost that is added in
			// between it would never hear, and all would wait for it in vain.
			_, err := node.Ctl(ctx, "await_startup")
			return err
		})
	}
	return nodes, starting.Wait()
}
