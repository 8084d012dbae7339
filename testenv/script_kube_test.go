package testenv_test

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/testenv/world"
)

func kubectl(ctx context.Context, s *script, args []string) (world.Output, error) {
	return s.world.Kubectl(ctx, args...)
}

// podManifest is a pod of the scripts: its name, and the label.
const podManifest = `apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: shop, labels: {app: %s}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: web
      image: web
      ports:
        - {name: http, containerPort: 8080}
        - {name: admin, containerPort: 8081}
        - {name: dns, containerPort: 5353, protocol: UDP}
---
`

func pods(ctx context.Context, s *script, names []string) (world.Output, error) {
	var manifest strings.Builder
	for _, name := range names {
		app, _, _ := strings.Cut(name, "-")
		fmt.Fprintf(&manifest, podManifest, name, app)
	}
	if err := s.world.Kube.Apply(ctx, []byte(manifest.String())); err != nil {
		return world.Output{}, err
	}
	args := []string{"wait", "--namespace=shop", "--for=condition=Ready", "--timeout=60s", "pod"}
	return s.world.Kubectl(ctx, append(args, names...)...)
}

func node(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) != 2 {
		return world.Output{}, usage(args)
	}
	nodes, name := s.world.Kube.Nodes(), args[1]
	switch args[0] {
	case "ready":
		return world.Output{}, nodes.SetReady(ctx, name, true)
	case "unready":
		return world.Output{}, nodes.SetReady(ctx, name, false)
	case "kill":
		return world.Output{}, nodes.Kill(name)
	case "revive":
		return world.Output{}, nodes.Revive(ctx, name)
	}
	return world.Output{}, usage(args)
}

func apiserver(ctx context.Context, s *script, args []string) (world.Output, error) {
	switch strings.Join(args, " ") {
	case "down":
		return world.Output{}, s.world.Kube.StopAPIServer()
	case "up":
		return world.Output{}, s.world.Kube.StartAPIServer(ctx)
	case "pause":
		return world.Output{}, s.world.Kube.PauseAPIServer()
	case "resume":
		return world.Output{}, s.world.Kube.ResumeAPIServer()
	}
	return world.Output{}, usage(args)
}

// programmed is the condition that landbridge gives to a Service.
const programmed = "landbridge.dev/Programmed"

// condition tells what a Service's condition says.
func condition(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) != 1 {
		return world.Output{}, usage(args)
	}
	namespace, name, found := strings.Cut(args[0], "/")
	if !found {
		namespace, name = "shop", args[0]
	}
	svc, err := s.world.Kube.Client().CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return world.Output{}, err
	}
	c := meta.FindStatusCondition(svc.Status.Conditions, programmed)
	if c == nil {
		return world.Output{Stdout: "none\n"}, nil
	}
	return world.Output{Stdout: fmt.Sprintf("%s %s: %s\n", c.Status, c.Reason, c.Message)}, nil
}
