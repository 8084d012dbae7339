package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"landbridge.dev/testenv/world"
)

// pollInterval is the pause between two looks at what has no event.
const pollInterval = 20 * time.Millisecond

func (s *story) vip() string { return s.world.Addresses.VIP4(0).String() }
func (s *story) url() string { return "http://" + s.vip() + "/" }

// controller starts the controller, unless it runs, and waits until it leads.
func (s *story) controller(ctx context.Context) error {
	c, err := s.world.StartController("landbridge")
	if err != nil {
		return err
	}
	return c.AwaitLeading(ctx)
}

// podsReady waits until all pods of an app of the shop are, and shows them.
func (s *story) podsReady(ctx context.Context, app string) error {
	if _, err := s.kubectl(ctx, "wait", "-n", "shop", "--for=condition=Ready", "--timeout=60s", "pod", "-l", "app="+app); err != nil {
		return err
	}
	pods, err := s.kubectl(ctx, "get", "pods", "-n", "shop", "-l", "app="+app, "-o", "wide")
	if err != nil {
		return err
	}
	s.said("cluster", pods)
	return nil
}

// landbridge runs a command as a person does who may read the device, and no
// more, and has rights of his own in the cluster.
func (s *story) landbridge(ctx context.Context, args ...string) (string, error) {
	own := []string{"--config", s.readers()}
	if args[0] != "import" { // which asks no cluster
		own = append(own, "--kubeconfig", s.world.Kube.Kubeconfig())
	}
	out, err := s.world.Landbridge(ctx, slices.Concat(args[:1], own, args[1:])...)
	if err != nil {
		return out.Stdout, fmt.Errorf("landbridge %s: %w\n%s%s", strings.Join(args, " "), err, out.Stdout, out.Stderr)
	}
	return out.Stdout, nil
}

// planned is what landbridge plan says, which is not nothing.
func (s *story) planned(ctx context.Context) (string, error) {
	text, err := s.landbridge(ctx, "plan")
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", fmt.Errorf("landbridge plan found nothing to do:\n%s", text)
	case !errors.As(err, &exit) || exit.ExitCode() != 2:
		return "", fmt.Errorf("%w; want exit status 2", err)
	}
	return text, nil
}

// kubectl runs kubectl with all rights.
func (s *story) kubectl(ctx context.Context, args ...string) (string, error) {
	out, err := s.world.Kubectl(ctx, args...)
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out.Stderr)
	}
	return out.Stdout, nil
}

// await polls until what is waited for is there.
func (s *story) await(ctx context.Context, what string, there func(context.Context) (bool, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		ok, err := there(ctx)
		if ok && err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}

// device prints what stands on the device, or of it the virtual servers that
// are named.
func (s *story) device(ctx context.Context, paths ...string) {
	var b strings.Builder
	for _, virtual := range s.world.Virtuals() {
		if path, _, _ := strings.Cut(virtual, " "); len(paths) > 0 && !slices.Contains(paths, path) {
			continue
		}
		fmt.Fprintln(&b, "virtual", virtual)
		_, path, _ := strings.Cut(virtual, " pool=")
		if members, err := s.world.Members(ctx, path); err == nil {
			for _, m := range members {
				fmt.Fprintln(&b, "  member", m)
			}
		}
	}
	s.said("device", b.String())
}

// members waits until the pool's members read as wanted: "web-1:8080 up".
func (s *story) members(ctx context.Context, want ...string) error {
	var got []string
	err := s.await(ctx, "the pool's members", func(ctx context.Context) (bool, error) {
		members, err := s.world.Members(ctx, pool)
		got = got[:0]
		for _, m := range members {
			got = append(got, brief(m))
		}
		return slices.Equal(got, want), err
	})
	if err != nil {
		return fmt.Errorf("%w; they are %v, want %v", err, got, want)
	}
	s.checked("members: %s", strings.Join(want, ", "))
	return nil
}

// brief leaves of a member's line what the story is about.
func brief(member string) string {
	var words []string
	for _, w := range strings.Fields(member) {
		if state, ok := strings.CutPrefix(w, "state="); ok {
			w = state
		} else if strings.Contains(w, "=") {
			continue
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// programmed waits until the Service says that it is served.
func (s *story) programmed(ctx context.Context) error {
	const path = `jsonpath={.status.conditions[?(@.type=="landbridge.dev/Programmed")].status} {.status.loadBalancer.ingress[0].ip} {.status.loadBalancer.ingress[0].ipMode}`
	if err := s.await(ctx, "the Service's condition", func(ctx context.Context) (bool, error) {
		got, err := s.kubectl(ctx, "get", "service", "web", "-n", "shop", "-o", path)
		return got == "True "+s.vip()+" Proxy", err
	}); err != nil {
		return err
	}
	s.checked("the Service says landbridge.dev/Programmed=True, and its address (ipMode Proxy)")
	return nil
}

// look prints what the Service, the device and a client see, and checks that
// exactly these pods answer the client, evenly.
func (s *story) look(ctx context.Context, pods ...string) error {
	seen, err := s.kubectl(ctx, "get", "service", "web", "-n", "shop")
	if err != nil {
		return err
	}
	s.said("service", seen)
	s.device(ctx)
	t := world.Get(ctx, s.url(), requests)
	s.said("client", fmt.Sprintf("%d requests to %s\n%s", requests, s.url(), t))
	for _, pod := range pods {
		if even := requests / len(pods); t.Pods[pod] <= even-tmms || t.Pods[pod] > even+tmms {
			return fmt.Errorf("%s answered %d of %d requests, want its part", pod, t.Pods[pod], requests)
		}
	}
	if len(t.Pods) != len(pods) || t.Failed() > 0 {
		return fmt.Errorf("not exactly %v answered", pods)
	}
	s.checked("%s answer, each its part; no request failed", strings.Join(pods, ", "))
	return nil
}

// connect opens a connection to a pod, by its turn.
func (s *story) connect(ctx context.Context, pod string) error {
	for range requests {
		c, got, err := world.Connect(ctx, s.url())
		if err != nil {
			return err
		}
		if got == pod {
			s.kept = c
			s.said("client", "one stays connected to "+pod)
			return nil
		}
		c.Close()
	}
	return fmt.Errorf("%s was not reached", pod)
}

// unload ends a load and checks that none of its requests failed.
func (s *story) unload(load *world.Load) error {
	t := load.Stop()
	if t.Failed() > 0 || t.Answered() == 0 {
		return fmt.Errorf("of the requests under load %d failed and %d were answered:\n%s", t.Failed(), t.Answered(), t)
	}
	s.checked("%d requests meanwhile, none failed", t.Answered())
	return nil
}

// writes checks how many changes came to the device since mark, in calls of
// their own, or in a transaction, which a device that is slow gets them in.
func (s *story) writes(ctx context.Context, mark, n int) error {
	changes := func() (lines []string) {
		for _, w := range s.world.Writes(mark) {
			if !strings.Contains(w, " /mgmt/tm/transaction") {
				lines = append(lines, w)
			}
		}
		return lines
	}
	if err := s.await(ctx, "changes on the device", func(context.Context) (bool, error) { return len(changes()) >= n, nil }); err != nil {
		return err
	}
	if err := s.world.ExactWrites(ctx, s.world.Active().Writes(), 0, world.Quiet); err != nil {
		return err
	}
	calls := changes()
	if len(calls) != n {
		return fmt.Errorf("%d changes came to the device, want %d:\n%s", len(calls), n, strings.Join(calls, "\n"))
	}
	if n == 0 {
		s.checked("no call that changes anything came to the device")
		return nil
	}
	for _, w := range calls {
		s.said("call", w)
	}
	s.checked("the device was changed %d times for it", n)
	return nil
}

// untouched checks that what the network team has is as it was.
func (s *story) untouched() error {
	now, err := s.world.Foreign()
	if err != nil {
		return err
	}
	if now != s.foreign {
		return fmt.Errorf("what others have on the device was\n%s\nand is\n%s", s.foreign, now)
	}
	s.checked("what the network team has on the device is as it was, byte for byte")
	return nil
}
