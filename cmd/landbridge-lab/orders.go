package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"landbridge.dev/testenv/messages"
)

const (
	ordersQueue = "orders.work"
	// ordersPause is between two messages of the producer.
	ordersPause = 4 * time.Millisecond
	// ordersSample is by how many messages a share is looked at.
	ordersSample = 1500
	// ordersSettle is how long a share may take to follow the rates of VMs,
	// which are seconds old.
	ordersSettle = 20 * time.Second
)

// ordersService is what the team writes; its pods take nothing yet.
const ordersService = `apiVersion: v1
kind: Service
metadata:
  name: orders
  namespace: shop
  annotations:
    landbridge.dev/mq-consume: orders.work
spec:
  selector: {app: orders}
  ports: [{port: 80, targetPort: http}]
`

// orders is a queue on its way from VMs to pods, and back, with every message
// that was ever sent to it.
type orders struct {
	*story
	ledger *messages.Ledger
	vms    []*queueVM
	ips    map[string]string // of pods
	pods   map[string]string // what those that are gone have had

	// deploy has Landbridge take up the configuration and run gateways; withdraw
	// ends the gateways.
	deploy, withdraw func(context.Context) error

	produce struct {
		stop    context.CancelFunc
		running sync.WaitGroup
		err     error // to be read after running
	}
}

// ordering is the chapter in which a queue that VMs consume is served by pods.
func (s *story) ordering() chapter {
	o := s.orders
	return chapter{"A queue that VMs consume is served by pods, and by VMs again", []step{
		{"Two VM processes consume a queue, and messages come all the time", o.stand},
		{"A gateway, and pods that take nothing yet", o.join},
		{"A quarter for the pods", o.quarter},
		{"The pods are preferred, the VMs take what overflows; then the VMs drain and stop", o.podsOnly},
		{"All goes back to the VMs", o.back},
		{"Every message is accounted for", o.account},
	}}
}

// stand is the queue as it has been for years.
func (o *orders) stand(ctx context.Context) error {
	n, err := o.world.StartBroker(ctx)
	if err != nil {
		return err
	}
	if err := n.AddQueue(ctx, "/", ordersQueue, nil); err != nil {
		return err
	}
	for _, name := range []string{"orders-vm-1", "orders-vm-2"} {
		if err := o.startVM(name); err != nil {
			return err
		}
	}
	if err := o.producer(); err != nil {
		return err
	}
	if err := o.await(ctx, "the VMs to work", func(context.Context) (bool, error) { _, vms, err := o.had(ctx); return vms >= 100, err }); err != nil {
		return err
	}
	o.checked("two VM processes work off what comes: RabbitMQ, a quorum queue, each message confirmed to its producer")
	return nil
}

// producer sends messages until it is told to stop.
func (o *orders) producer() error {
	n, err := o.world.Broker()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	o.produce.stop = stop
	o.produce.running.Go(func() { o.produce.err = messages.Produce(ctx, n.URL(), ordersQueue, ordersPause, o.ledger) })
	return nil
}

func (o *orders) join(ctx context.Context) error {
	if err := o.grant(); err != nil {
		return err
	}
	if err := o.deploy(ctx); err != nil {
		return err
	}
	if err := o.world.Kube.Apply(ctx, []byte(podManifest("orders", "orders-pod-1", "orders-pod-2"))); err != nil {
		return err
	}
	if err := o.podsReady(ctx, "orders"); err != nil {
		return err
	}
	var err error
	for _, pod := range []string{"orders-pod-1", "orders-pod-2"} {
		if o.ips[pod], err = o.kubectl(ctx, "get", "pod", pod, "-n", "shop", "-o", "jsonpath={.status.podIP}"); err != nil {
			return err
		}
	}
	o.said("applied", ordersService)
	if err := o.world.Kube.Apply(ctx, []byte(ordersService)); err != nil {
		return err
	}
	if err := o.condition(ctx, "VMsOnly"); err != nil {
		return err
	}
	pods, _, err := o.had(ctx)
	if err == nil && pods != 0 {
		err = fmt.Errorf("pods have had %d messages already", pods)
	}
	return err
}

// share asks for another share.
func (o *orders) share(ctx context.Context, annotations ...string) error {
	if _, err := o.kubectl(ctx, append([]string{"annotate", "service", "orders", "-n", "shop", "--overwrite"}, annotations...)...); err != nil {
		return err
	}
	o.said("ran", "kubectl annotate service orders -n shop "+strings.Join(annotations, " "))
	return nil
}

func (o *orders) quarter(ctx context.Context) error {
	if err := o.share(ctx, "landbridge.dev/mq-pod-share=25"); err != nil {
		return err
	}
	if err := o.condition(ctx, "Shared"); err != nil {
		return err
	}
	began := time.Now()
	if err := o.await(ctx, "the share to settle", func(context.Context) (bool, error) { return time.Since(began) > ordersSettle, nil }); err != nil {
		return err
	}
	pods, vms, err := o.had(ctx)
	if err != nil {
		return err
	}
	now, then := 0, 0
	if err := o.await(ctx, "messages to count", func(ctx context.Context) (bool, error) {
		p, v, err := o.had(ctx)
		now, then = p-pods, v-vms
		return now+then >= ordersSample, err
	}); err != nil {
		return err
	}
	o.shown(ctx)
	part := float64(100*now) / float64(now+then)
	if part < 5 || part > 60 {
		return fmt.Errorf("pods had %.0f per cent of %d messages; 25 were asked for", part, now+then)
	}
	o.checked("pods had %.0f per cent of %d messages; the share of a queue is approximate", part, now+then)
	return nil
}

func (o *orders) podsOnly(ctx context.Context) error {
	if err := o.share(ctx, "landbridge.dev/mq-pod-share=100", "landbridge.dev/mq-priority=10"); err != nil {
		return err
	}
	if err := o.condition(ctx, "Shared"); err != nil {
		return err
	}
	for _, vm := range o.vms {
		if err := vm.stop(); err != nil {
			return err
		}
	}
	if err := o.condition(ctx, "PodsOnly"); err != nil {
		return err
	}
	o.shown(ctx)
	before, vms, err := o.had(ctx)
	if err != nil {
		return err
	}
	return o.await(ctx, "pods to work alone", func(ctx context.Context) (bool, error) {
		pods, now, err := o.had(ctx)
		return pods >= before+100 && now == vms, err
	})
}

func (o *orders) back(ctx context.Context) error {
	for _, name := range []string{"orders-vm-3", "orders-vm-4"} {
		if err := o.startVM(name); err != nil {
			return err
		}
	}
	if err := o.share(ctx, "landbridge.dev/mq-pod-share=0", "landbridge.dev/mq-priority-"); err != nil {
		return err
	}
	if err := o.condition(ctx, "VMsOnly"); err != nil {
		return err
	}
	if err := o.withdraw(ctx); err != nil { // what pods have is settled by then
		return err
	}
	var err error
	for _, pod := range []string{"orders-pod-1", "orders-pod-2"} {
		if o.pods[pod], err = o.seen(ctx, pod); err != nil {
			return err
		}
	}
	if _, err := o.kubectl(ctx, "delete", "pod", "-n", "shop", "-l", "app=orders", "--grace-period=1"); err != nil {
		return err
	}
	_, err = o.kubectl(ctx, "delete", "service", "orders", "-n", "shop")
	return err
}

func (o *orders) account(ctx context.Context) error {
	o.produce.stop()
	o.produce.running.Wait()
	if o.produce.err != nil {
		return o.produce.err
	}
	n, err := o.world.Broker()
	if err != nil {
		return err
	}
	if err := o.await(ctx, "the queue to be empty", func(ctx context.Context) (bool, error) {
		queues, err := n.Queues(ctx, "/")
		left := 0
		for _, q := range queues {
			left += q.Ready + q.Unacked
		}
		return err == nil && len(queues) > 0 && left == 0, err
	}); err != nil {
		return err
	}
	for _, vm := range o.vms {
		if err := vm.stop(); err != nil {
			return err
		}
		ids, err := vm.ids()
		if err != nil {
			return err
		}
		for _, id := range ids {
			o.ledger.Effect(id, messages.Body(id))
		}
	}
	for _, seen := range o.pods {
		for line := range strings.Lines(seen) {
			id, _, _ := strings.Cut(line, " ")
			o.ledger.Effect(id, messages.Body(id))
		}
	}
	if missing, more := o.ledger.Missing(), o.ledger.Unexpected(); len(missing)+len(more) > 0 {
		return fmt.Errorf("messages that were taken and had no effect: %v; effects of none: %v", missing, more)
	}
	o.checked("%s; lost: 0, unexpected: 0", o.ledger)
	return nil
}

// had is how many messages pods and VMs have had.
func (o *orders) had(ctx context.Context) (pods, vms int, err error) {
	for _, vm := range o.vms {
		ids, err := vm.ids()
		if err != nil {
			return 0, 0, err
		}
		vms += len(ids)
	}
	for _, pod := range []string{"orders-pod-1", "orders-pod-2"} {
		seen, err := o.seen(ctx, pod)
		if err != nil {
			return 0, 0, err
		}
		pods += strings.Count(seen, "\n")
	}
	return pods, vms, nil
}

// seen are the keys of the messages that a pod has had, a line each; of one that
// is not there yet none.
func (o *orders) seen(ctx context.Context, pod string) (string, error) {
	if o.ips[pod] == "" {
		return "", nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.ips[pod]+":8080/seen", nil)
	if err != nil {
		return "", err
	}
	r.Close = true
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// condition waits until the Service's condition of queues has a reason.
func (o *orders) condition(ctx context.Context, reason string) error {
	const path = `jsonpath={.status.conditions[?(@.type=="landbridge.dev/Queue")].reason}: {.status.conditions[?(@.type=="landbridge.dev/Queue")].message}`
	got := ""
	if err := o.await(ctx, "the condition "+reason, func(ctx context.Context) (bool, error) {
		var err error
		got, err = o.kubectl(ctx, "get", "service", "orders", "-n", "shop", "-o", path)
		return strings.HasPrefix(got, reason+":"), err
	}); err != nil {
		return fmt.Errorf("%w; it is %s", err, got)
	}
	o.checked("landbridge.dev/Queue: %s", got)
	return nil
}

// shown prints what status says of the queue.
func (o *orders) shown(ctx context.Context) {
	if out, err := o.landbridge(ctx, "status", "shop/orders", "--measure", "0s"); err == nil {
		o.said("status", out)
	}
}

// end ends what still runs.
func (o *orders) end() {
	if o.produce.stop != nil {
		o.produce.stop()
		o.produce.running.Wait()
	}
	for _, vm := range o.vms {
		_ = vm.stop() // the story has failed already
	}
}
