package kube_test

import (
	"context"
	"os"
	"testing"

	"landbridge.dev/testenv/kube"
	"landbridge.dev/testenv/netns"
)

func TestMain(m *testing.M) {
	netns.Main(m, netns.Options{Prepare: func(ctx context.Context) error {
		_, err := kube.Build(ctx, os.Stderr)
		return err
	}})
}
