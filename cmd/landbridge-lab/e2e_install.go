package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"landbridge.dev/testenv/node"
	"landbridge.dev/testenv/world"
)

const (
	release          = "landbridge"
	releaseNamespace = "landbridge-system"
)

func (e *endToEnd) cluster(ctx context.Context) (err error) {
	if e.binaries, err = node.Build(ctx, e.out); err != nil {
		return err
	}
	began := time.Now()
	o := worldOptions("")
	o.Real = &world.Real{Images: []string{os.Getenv(imageEnv)}}
	if e.world, err = world.Start(ctx, o); err != nil {
		return err
	}
	nodes, err := e.kubectl(ctx, "get", "nodes", "-o", "wide")
	if err != nil {
		return err
	}
	e.said("cluster", nodes)
	e.checked("both nodes are ready %s after nothing", since(began))
	if err := e.setUp(ctx); err != nil {
		return err
	}
	e.device(ctx)
	return nil
}

func (e *endToEnd) install(ctx context.Context) error {
	// A world gives rights to controllers that are processes; those of the chart
	// are to be enough.
	for _, file := range []string{"rbac.yaml", "rbac-gateway.yaml"} {
		path, err := filepath.Abs(filepath.Join("deploy", file))
		if err != nil {
			return err
		}
		if _, err := e.kubectl(ctx, "delete", "-f", path, "--ignore-not-found"); err != nil {
			return err
		}
	}
	if err := e.furnish(); err != nil {
		return err
	}
	if _, err := e.asWritten(ctx, "install.md", "kubectl create namespace landbridge-system"); err != nil {
		return err
	}
	if err := e.writeValues(configuration, debugValue+secretsValue); err != nil {
		return err
	}
	if err := e.withoutSecret(ctx); err != nil {
		return err
	}
	began := time.Now()
	out, err := e.asWritten(ctx, "install.md", docsHelm)
	if err != nil {
		return err
	}
	e.said("helm", out)
	if _, err := e.kubectl(ctx, "rollout", "status", "deployment/landbridge", "-n", releaseNamespace, "--timeout=3m"); err != nil {
		return err
	}
	e.checked("installed and ready within %s", since(began))
	pods, err := e.kubectl(ctx, "get", "pods", "-n", releaseNamespace, "-o", "wide")
	if err != nil {
		return err
	}
	e.said("cluster", pods)
	return e.leads(ctx, "")
}

// leads waits until one of the release's pods leads that is not the one named.
func (e *endToEnd) leads(ctx context.Context, but string) error {
	holder := ""
	if err := e.await(ctx, "a leader", func(ctx context.Context) (_ bool, err error) {
		holder, err = e.leader(ctx)
		return holder != "" && holder != but, err
	}); err != nil {
		return err
	}
	e.checked("%s leads", holder)
	return nil
}

// leader is the holder of the release's Lease.
func (e *endToEnd) leader(ctx context.Context) (string, error) {
	out, err := e.kubectl(ctx, "get", "leases", "-n", releaseNamespace, "-o", "jsonpath={.items[*].spec.holderIdentity}")
	return strings.TrimSpace(out), err
}

// uninstall takes the release away. Its hook gives Services back first.
func (e *endToEnd) uninstall(ctx context.Context) error {
	if _, err := e.asWritten(ctx, "operating.md", docsRelease); err != nil {
		return err
	}
	began := time.Now()
	if err := e.helm(ctx, "uninstall", release, "--namespace", releaseNamespace, "--wait", "--timeout", "3m"); err != nil {
		return err
	}
	e.said("ran", "helm uninstall "+release+" --wait: "+since(began))
	left, err := e.kubectl(ctx, "get", "services", "-n", "shop", "-o", "jsonpath={.items[*].metadata.finalizers}")
	if err != nil {
		return err
	}
	if left != "" {
		return fmt.Errorf("finalizers hold Services: %s", left)
	}
	e.checked("no Service is held by a finalizer")
	e.device(ctx)
	return nil
}

// nothingLeft ends the clients and the cluster, and looks for what is left.
func (e *endToEnd) nothingLeft(context.Context) error {
	e.end()
	e.pods, e.ports = nil, nil
	began := time.Now()
	dir := e.world.Nodes.Dir()
	if err := e.world.Stop(); err != nil {
		return err
	}
	e.said("ended", "within "+since(began))
	if err := node.Left(dir); err != nil {
		return err
	}
	e.checked("no process, mount, control group or interface of the nodes is left")
	return nil
}
