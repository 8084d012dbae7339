package testenv_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/translate"
	"landbridge.dev/testenv/world"
)

func kubectl(ctx context.Context, s *script, args []string) (world.Output, error) {
	return s.world.Kubectl(ctx, args...)
}

// podManifest is a pod of the scripts: its name, and the label. The time when a
// pod ends is written without its fraction of a second: of one second that it has
// to end, nothing might be left.
const podManifest = `apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: shop, labels: {app: %s}}
spec:
  terminationGracePeriodSeconds: 2
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
	case "empty":
		return world.Output{}, s.world.EmptyStore(ctx)
	}
	return world.Output{}, usage(args)
}

func manager(_ context.Context, s *script, args []string) (world.Output, error) {
	switch strings.Join(args, " ") {
	case "pause":
		return world.Output{}, s.world.Kube.PauseManager()
	case "resume":
		return world.Output{}, s.world.Kube.ResumeManager()
	}
	return world.Output{}, usage(args)
}

// service is the Service that a command names.
func service(ctx context.Context, s *script, args []string) (*corev1.Service, error) {
	if len(args) != 1 {
		return nil, usage(args)
	}
	namespace, name, found := strings.Cut(args[0], "/")
	if !found {
		namespace, name = "shop", args[0]
	}
	return s.world.Kube.Client().CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
}

// address tells the address that a Service is noted to have.
func address(ctx context.Context, s *script, args []string) (world.Output, error) {
	svc, err := service(ctx, s, args)
	if err != nil {
		return world.Output{}, err
	}
	if a, ok := svc.Annotations[translate.AnnotationAddress]; ok {
		return lines([]string{a}), nil
	}
	return world.Output{}, nil
}

// gates tells what our readiness gate says of each pod that has it.
func gates(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) != 1 {
		return world.Output{}, usage(args)
	}
	pods, err := s.world.Kube.Client().CoreV1().Pods("shop").List(ctx, metav1.ListOptions{LabelSelector: "app=" + args[0]})
	if err != nil {
		return world.Output{}, err
	}
	var all []string
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp != nil || len(pods.Items[i].Spec.ReadinessGates) == 0 {
			continue
		}
		ready, gate := "unready", "none"
		for _, c := range pods.Items[i].Status.Conditions {
			switch {
			case c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue:
				ready = "ready"
			case c.Type == translate.PodGate:
				gate = fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
			}
		}
		all = append(all, ready+" "+gate)
	}
	slices.Sort(all)
	return lines(all), nil
}

// programmed is the condition that landbridge gives to a Service.
const programmed = "landbridge.dev/Programmed"

// condition tells what a Service's condition says.
func condition(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) == 2 {
		return conditionOf(ctx, s, args[:1], translate.Prefix+args[1])
	}
	return conditionOf(ctx, s, args, programmed)
}

func conditionOf(ctx context.Context, s *script, args []string, kind string) (world.Output, error) {
	svc, err := service(ctx, s, args)
	if err != nil {
		return world.Output{}, err
	}
	c := meta.FindStatusCondition(svc.Status.Conditions, kind)
	if c == nil {
		return world.Output{Stdout: "none\n"}, nil
	}
	return world.Output{Stdout: fmt.Sprintf("%s %s: %s\n", c.Status, c.Reason, c.Message)}, nil
}
