package testenv_test

import (
	"context"
	"os"
	"path/filepath"

	"landbridge.dev/testenv/world"
)

// firstCluster is the name of the cluster that every script begins with.
const firstCluster = "test"

// inquiries has the cluster know the objects by which a controller is asked.
func inquiries(ctx context.Context, s *script, _ []string) (world.Output, error) {
	manifest, err := os.ReadFile(filepath.Join("..", "deploy", "inquiries.yaml"))
	if err != nil {
		return world.Output{}, err
	}
	if err := s.world.Kube.Apply(ctx, manifest); err != nil {
		return world.Output{}, err
	}
	return s.world.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd/inquiries.landbridge.dev")
}

// cluster turns to another cluster in front of the same device, which is
// started when it is first named. Files of the script may lie in its folder
// before.
func cluster(_ context.Context, s *script, args []string) (world.Output, error) {
	if len(args) != 1 {
		return world.Output{}, usage(args)
	}
	name, first := args[0], s.all[firstCluster]
	if s.all[name] == nil {
		dir := filepath.Join(first.Dir(), name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return world.Output{}, err
		}
		w, err := world.Start(s.ctx, world.Options{Dir: dir, Cluster: name, Beside: first})
		if err != nil {
			return world.Output{}, err
		}
		s.all[name] = w
		if err := furnish(s.ctx, w); err != nil {
			return world.Output{}, err
		}
	}
	s.world = s.all[name]
	return world.Output{}, nil
}
