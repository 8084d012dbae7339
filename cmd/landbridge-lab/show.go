package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"landbridge.dev/testenv/world"
)

// pollInterval is the pause between two looks at what has no event.
const pollInterval = 20 * time.Millisecond

func (s *story) vip() string { return s.world.Addresses.VIP4(0).String() }
func (s *story) url() string { return "http://" + s.vip() + "/" }

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

// device prints what stands on the device.
func (s *story) device(ctx context.Context) {
	var b strings.Builder
	for _, virtual := range s.world.Virtuals() {
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
		if even := requests / len(pods); t.Pods[pod] < even || t.Pods[pod] > even+1 {
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

// writes checks how many changes came to the device since mark.
func (s *story) writes(ctx context.Context, mark, n int) error {
	if err := s.world.ExactWrites(ctx, mark, n, world.Quiet); err != nil {
		return err
	}
	if n == 0 {
		s.checked("no call that changes anything came to the device")
		return nil
	}
	for _, w := range s.world.Writes(mark) {
		s.said("call", w)
	}
	s.checked("the device was called %d times for it", n)
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
