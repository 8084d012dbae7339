package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"landbridge.dev/testenv/load"
	"landbridge.dev/testenv/node"
)

// portsPool is that of the Service with node ports.
const portsPool = "/web/lb_lab_shop_web-ports_80"

// webDeployment drains well: it is asked whether it is ready, and serves on for
// some seconds when it is to end.
const webDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
      containers:
        - name: web
          image: ` + node.PodImage + `
          args: [serve]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
          lifecycle: {preStop: {sleep: {seconds: 3}}}
`

const webService = `apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  annotations:
    landbridge.dev/partition: web
    landbridge.dev/virtual-address: $VIP
    landbridge.dev/monitor: http GET /healthz
    landbridge.dev/monitor-interval: "1"
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
`

const portsService = `apiVersion: v1
kind: Service
metadata:
  name: web-ports
  namespace: shop
  annotations:
    landbridge.dev/partition: web
    landbridge.dev/virtual-address: $VIP5
    landbridge.dev/member-type: nodeport
    landbridge.dev/monitor-interval: "1"
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
`

func (e *endToEnd) servePods(ctx context.Context) (err error) {
	e.said("applied", e.world.Expand(webService))
	if err := e.world.Kube.Apply(ctx, []byte(webDeployment+"---\n"+e.world.Expand(webService))); err != nil {
		return err
	}
	if err := e.rolledOut(ctx); err != nil {
		return err
	}
	if err := e.awaitUp(ctx, pool, e.livePods); err != nil {
		return err
	}
	if e.pods, err = e.call("web", 0); err != nil {
		return err
	}
	return e.answered(ctx, e.pods)
}

// rolledOut waits until the Deployment is as it says, and shows its pods.
func (e *endToEnd) rolledOut(ctx context.Context) error {
	if _, err := e.kubectl(ctx, "rollout", "status", "deployment/web", "-n", "shop", "--timeout=3m"); err != nil {
		return err
	}
	pods, err := e.kubectl(ctx, "get", "pods", "-n", "shop", "-l", "app=web", "-o", "wide")
	e.said("cluster", pods)
	return err
}

// answered waits until every live pod has answered clients.
func (e *endToEnd) answered(ctx context.Context, c *callers) error {
	pods, err := e.livePods(ctx)
	if err != nil {
		return err
	}
	w := c.load.Open()
	err = w.Await(ctx, 200)
	count := w.Close()
	if err != nil {
		return fmt.Errorf("%w; %s", err, count.String())
	}
	for _, p := range pods {
		if name, _, _ := strings.Cut(p, ":"); count.New[name] == 0 {
			return fmt.Errorf("%s answered nobody: %s", name, count.String())
		}
	}
	e.said("clients", count.String())
	return e.unbroken(c.name, &count)
}

func (e *endToEnd) servePorts(ctx context.Context) (err error) {
	text := strings.ReplaceAll(portsService, "$VIP5", e.world.Addresses.VIP4(5).String())
	e.said("applied", text)
	if err := e.world.Kube.Apply(ctx, []byte(text)); err != nil {
		return err
	}
	if err := e.awaitUp(ctx, portsPool, e.livePorts); err != nil {
		return err
	}
	if e.ports, err = e.call("web-ports", 5); err != nil {
		return err
	}
	return e.answered(ctx, e.ports)
}

// livePorts are the nodes with pods of the app that do not end, as members.
func (e *endToEnd) livePorts(ctx context.Context) ([]string, error) {
	nodes, err := e.kubectl(ctx, "get", "pods", "-n", "shop", "-l", "app=web", "-o",
		`go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.spec.nodeName}}{{"\n"}}{{end}}{{end}}`)
	if err != nil {
		return nil, err
	}
	port, err := e.kubectl(ctx, "get", "service", "web-ports", "-n", "shop", "-o", "jsonpath={.spec.ports[0].nodePort}")
	if err != nil {
		return nil, err
	}
	names := strings.Fields(nodes)
	slices.Sort(names)
	names = slices.Compact(names)
	for i := range names {
		names[i] += ":" + port + " up"
	}
	return names, nil
}

// settled waits until both pools are as the cluster is.
func (e *endToEnd) settled(ctx context.Context) error {
	if err := e.rolledOut(ctx); err != nil {
		return err
	}
	if err := e.awaitUp(ctx, pool, e.livePods); err != nil {
		return err
	}
	return e.awaitUp(ctx, portsPool, e.livePorts)
}

// restart replaces all pods, one after the other.
func (e *endToEnd) restart(ctx context.Context) error {
	began := time.Now()
	if _, err := e.kubectl(ctx, "rollout", "restart", "deployment/web", "-n", "shop"); err != nil {
		return err
	}
	if err := e.settled(ctx); err != nil {
		return err
	}
	e.said("ran", "kubectl rollout restart deployment/web: "+since(began))
	return nil
}

// gated gives the pods the gate, which is a rolling update by itself.
func (e *endToEnd) gated(ctx context.Context) error {
	const patch = `{"spec":{"template":{"spec":{"readinessGates":[{"conditionType":"landbridge.dev/pool-member"}]}}}}`
	began := time.Now()
	if _, err := e.kubectl(ctx, "patch", "deployment/web", "-n", "shop", "-p", patch); err != nil {
		return err
	}
	if err := e.settled(ctx); err != nil {
		return err
	}
	e.said("ran", "kubectl patch deployment/web -p "+patch+": "+since(began))
	gates, err := e.kubectl(ctx, "get", "pods", "-n", "shop", "-l", "app=web", "-o",
		`jsonpath={range .items[*]}{.status.conditions[?(@.type=="landbridge.dev/pool-member")].status}{"\n"}{end}`)
	if err != nil {
		return err
	}
	if n := strings.Count(gates, "True"); n < 4 {
		return fmt.Errorf("of 4 pods %d have an open gate", n)
	}
	e.checked("each pod was ready for the Deployment only once the device had it in place")
	return nil
}

// drain empties a node as before maintenance.
func (e *endToEnd) drain(ctx context.Context) error {
	began := time.Now()
	out, err := e.kubectl(ctx, "drain", "node-b", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=3m")
	if err != nil {
		return err
	}
	e.said("ran", "kubectl drain node-b: "+since(began))
	e.said("drain", out)
	if err := e.settled(ctx); err != nil {
		return err
	}
	if _, err := e.kubectl(ctx, "uncordon", "node-b"); err != nil {
		return err
	}
	return e.restart(ctx) // with the gate, and they spread again
}

// nodeKilled cuts the power of the leader's node, and measures what clients
// notice of it and for how long.
func (e *endToEnd) nodeKilled(ctx context.Context) (err error) {
	leader, err := e.leader(ctx)
	if err != nil {
		return err
	}
	pod, _, _ := strings.Cut(leader, "_")
	if e.victim, err = e.kubectl(ctx, "get", "pod", pod, "-n", releaseNamespace, "-o", "jsonpath={.spec.nodeName}"); err != nil {
		return err
	}
	pods, ports := e.pods.load.Open(), e.ports.load.Open()
	began := time.Now()
	measured := func(format string, args ...any) {
		line := fmt.Sprintf(format, args...)
		e.heal = append(e.heal, line)
		e.said("measured", line)
	}
	if err := e.world.Nodes.Kill(e.victim); err != nil {
		return err
	}
	e.said("killed", e.victim+", on which the leader ran")
	if _, err := e.kubectl(ctx, "wait", "--for=condition=Ready=Unknown", "node/"+e.victim, "--timeout=2m"); err != nil {
		return err
	}
	measured("%s: Kubernetes takes the node for dead", since(began))
	if err := e.leads(ctx, leader); err != nil {
		return err
	}
	measured("%s: another of Landbridge's pods leads", since(began))
	if err := e.settled(ctx); err != nil {
		return err
	}
	measured("%s: the lost pods are replaced, and the pools hold those that live alone", since(began))
	for _, c := range []struct {
		name string
		w    *load.Window
	}{{e.pods.name, pods}, {e.ports.name, ports}} {
		count := c.w.Close()
		last := time.Duration(0)
		for _, f := range count.Failed {
			last = max(last, f.Begun.Sub(began))
		}
		measured("%s: %d of %d requests failed, the last of those begun after %.1f s", c.name, len(count.Failed), count.Requests(), last.Seconds())
	}
	return nil
}

func (e *endToEnd) nodeBack(ctx context.Context) error {
	began := time.Now()
	if err := e.world.Nodes.Restart(ctx, e.victim); err != nil {
		return err
	}
	e.checked("%s is ready %s after it was started", e.victim, since(began))
	return e.settled(ctx)
}
