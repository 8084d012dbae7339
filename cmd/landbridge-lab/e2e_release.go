package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// What the platform team's values say besides the configuration.
const (
	imageValue = "image: {repository: localhost/landbridge, tag: e2e}\nconfigCheck: {enabled: true}\nuninstall: {release: keep}\n"
	// debugValue lets the log's level be changed while a controller runs.
	debugValue   = "controller: {extraArgs: [--debug-listen=127.0.0.1:6060]}\n"
	secretsValue = "secrets:\n  dc1: {secretName: landbridge-dc1}\n"
	// gatewayValues are those where there is a broker.
	gatewayValues = secretsValue + "  mq: {secretName: landbridge-mq, mountIn: [controller, gateway]}\ngateway: {enabled: true}\n"
)

// writeValues writes and shows the values of the release.
func (e *endToEnd) writeValues(config, more string) error {
	var text strings.Builder
	text.WriteString(imageValue + more + "config:\n")
	for line := range strings.Lines(e.world.Expand(config)) {
		if !strings.HasPrefix(line, "apiVersion:") && !strings.HasPrefix(line, "kind:") {
			text.WriteString("  " + line)
		}
	}
	// In the pods they are where the chart mounts the Secrets.
	dir, mounted := e.world.Dir(), "/etc/landbridge/"
	values := strings.NewReplacer(dir+"/ca.crt", mounted+"dc1/ca.crt", dir+"/$USER", mounted+"dc1", dir+"/mq", mounted+"mq").Replace(text.String())
	e.said("values", values)
	return os.WriteFile(e.values(), []byte(values), 0o600)
}

func (e *endToEnd) values() string { return filepath.Join(e.world.Dir(), "values.yaml") }

// chart is the one of this checkout, which make runs in.
func (e *endToEnd) chart() string { return filepath.Join("charts", "landbridge") }

// helm runs Helm with all rights. It keeps what it notes in the world's folder.
func (e *endToEnd) helm(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, e.binaries.Helm, args...)
	cmd.Env = e.helmEnv()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		jobs, _ := e.kubectl(context.WithoutCancel(ctx), "logs", "-n", releaseNamespace, "--all-pods", "--prefix", "--ignore-errors", "job/landbridge-config-check")
		state, _ := e.kubectl(context.WithoutCancel(ctx), "get", "pods,events", "-n", releaseNamespace)
		return errors.Join(fmt.Errorf("helm %s: %w\n%s%s", args[0], err, stdout.String(), stderr.String()), errors.New(jobs+state))
	}
	return nil
}

// helmEnv is that of Helm and of kubectl: all rights, and the world's folder.
func (e *endToEnd) helmEnv() []string {
	home := filepath.Join(e.world.Dir(), "helm")
	return append(os.Environ(), "KUBECONFIG="+e.world.Kube.Kubeconfig(),
		"HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
}

// upgrade has Landbridge replaced pod by pod, while the Service's pods come and
// go.
func (e *endToEnd) upgrade(ctx context.Context) error {
	before, err := e.leader(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	upgraded := make(chan error, 1)
	go func() {
		upgraded <- e.helm(ctx, "upgrade", release, e.chart(), "--namespace", releaseNamespace, "--values", e.values(),
			"--set", "controller.logLevel=debug", "--wait", "--timeout", "3m")
	}()
	scale := func(n int) error {
		if _, err := e.kubectl(ctx, "scale", "deployment/web", "-n", "shop", fmt.Sprintf("--replicas=%d", n)); err != nil {
			return err
		}
		_, err := e.kubectl(ctx, "rollout", "status", "deployment/web", "-n", "shop", "--timeout=2m")
		return err
	}
	scales := 0
	for done := false; !done; {
		select {
		case err := <-upgraded:
			if err != nil {
				return err
			}
			done = true
		default:
			if err := errors.Join(scale(5), scale(4)); err != nil {
				return errors.Join(err, <-upgraded)
			}
			scales++
		}
	}
	e.said("ran", fmt.Sprintf("helm upgrade --set controller.logLevel=debug --wait: %s; the Deployment was scaled to 5 and back to 4 %d times", since(began), scales))
	if err := e.leads(ctx, before); err != nil {
		return err
	}
	return e.awaitUp(ctx, pool, e.livePods)
}

// rollback has the release go back to what it was before the upgrade.
func (e *endToEnd) rollback(ctx context.Context) error {
	before, err := e.leader(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := e.helm(ctx, "rollback", release, "--namespace", releaseNamespace, "--wait", "--timeout", "3m"); err != nil {
		return err
	}
	e.said("ran", "helm rollback "+release+" --wait: "+since(began))
	if err := e.leads(ctx, before); err != nil {
		return err
	}
	return e.awaitUp(ctx, pool, e.livePods)
}

// replaceGateways has each gateway replaced by another. The messages are counted
// at the chapter's end.
func (e *endToEnd) replaceGateways(ctx context.Context) error {
	return e.changed(ctx, "--set", "gateway.logLevel=debug")
}

// startGateways has the release take up the queue's configuration, with
// gateways.
func (e *endToEnd) startGateways(ctx context.Context) error {
	dir := filepath.Join(e.world.Dir(), "mq")
	if _, err := e.kubectl(ctx, "create", "secret", "generic", "landbridge-mq", "-n", releaseNamespace,
		"--from-file="+filepath.Join(dir, "username"), "--from-file="+filepath.Join(dir, "password")); err != nil {
		return err
	}
	if err := e.writeValues(configuration+ordersConfig, debugValue+gatewayValues); err != nil {
		return err
	}
	return e.changed(ctx)
}

func (e *endToEnd) stopGateways(ctx context.Context) error {
	return e.changed(ctx, "--set", "gateway.enabled=false")
}

// changed has the release follow its values.
func (e *endToEnd) changed(ctx context.Context, flags ...string) error {
	began := time.Now()
	args := append([]string{"upgrade", release, e.chart(), "--namespace", releaseNamespace, "--values", e.values(), "--wait", "--timeout", "3m"}, flags...)
	if err := e.helm(ctx, args...); err != nil {
		return err
	}
	e.said("ran", "helm upgrade --values values.yaml "+strings.Join(flags, " ")+": "+since(began))
	return nil
}
