package testenv_test

import (
	"context"
	"fmt"
	"regexp"

	"landbridge.dev/testenv/world"
)

// allow does what a Service's condition says: it runs `landbridge allow` with
// the hash in there, as an administrator would
// on a laptop: where the Lease is, it knows.
func allow(ctx context.Context, s *script, args []string) (world.Output, error) {
	out, err := condition(ctx, s, args)
	if err != nil {
		return out, err
	}
	hash := regexp.MustCompile("landbridge allow ([0-9a-f]+)").FindStringSubmatch(out.Stdout)
	if hash == nil {
		return out, fmt.Errorf("the condition of %s asks for no allowance: %s", args[0], out.Stdout)
	}
	return s.world.Landbridge(ctx, "allow", hash[1], "--kubeconfig", s.world.Kube.Kubeconfig())
}
