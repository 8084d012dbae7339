package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"landbridge.dev/testenv/world"
)

// pool is the virtual server and the pool of the shop.
const pool = "/web/lb_lab_shop_web_80"

// requests are how often a client asks when it looks who answers.
const requests = 20

// ownService is the chapter in which a team that has nothing on the device yet
// has a virtual server of its own.
func (s *story) ownService() chapter {
	return chapter{"A Service of its own", []step{
		{"A Service asks for a virtual server; the plan shows what would come", s.plan},
		{"The controller starts, with its role's rights alone, and makes it so", s.start},
		{"A pod comes", s.podComes},
		{"A pod goes, while clients ask all the time and one stays connected", s.podGoes},
		{"The controller is killed and started again", s.restart},
		{"The Service is deleted", s.deleted},
	}}
}

func (s *story) plan(ctx context.Context) error {
	if err := s.world.Kube.Apply(ctx, []byte(webPods)); err != nil {
		return err
	}
	if err := s.podsReady(ctx, "web"); err != nil {
		return err
	}
	s.said("applied", s.world.Expand(service))
	if err := s.world.Kube.Apply(ctx, []byte(s.world.Expand(service))); err != nil {
		return err
	}
	if err := s.await(ctx, "two endpoints", func(ctx context.Context) (bool, error) {
		addresses, err := s.kubectl(ctx, "get", "endpointslices", "-n", "shop", "-o", "jsonpath={.items[*].endpoints[*].addresses[0]}")
		return len(strings.Fields(addresses)) == 2, err
	}); err != nil {
		return err
	}
	mark := s.world.Active().Writes()
	text, err := s.planned(ctx)
	if err != nil {
		return err
	}
	s.said("plan", text)
	s.checked("exit code 2: there is something to do")
	return s.writes(ctx, mark, 0)
}

func (s *story) start(ctx context.Context) error {
	if err := s.granted(ctx); err != nil {
		return err
	}
	if err := s.controller(ctx); err != nil {
		return err
	}
	if err := s.members(ctx, "web-1:8080 up", "web-2:8080 up"); err != nil {
		return err
	}
	if err := s.programmed(ctx); err != nil {
		return err
	}
	if err := s.look(ctx, "web-1", "web-2"); err != nil {
		return err
	}
	return s.untouched()
}

func (s *story) podComes(ctx context.Context) error {
	mark := s.world.Active().Writes()
	if err := s.world.Kube.Apply(ctx, []byte(thirdPod)); err != nil {
		return err
	}
	if err := s.members(ctx, "web-1:8080 up", "web-2:8080 up", "web-3:8080 up"); err != nil {
		return err
	}
	if err := s.look(ctx, "web-1", "web-2", "web-3"); err != nil {
		return err
	}
	return s.writes(ctx, mark, 2)
}

func (s *story) podGoes(ctx context.Context) error {
	if err := s.connect(ctx, "web-3"); err != nil {
		return err
	}
	load := world.StartLoad(s.url())
	defer load.Stop()
	mark := s.world.Active().Writes()
	if _, err := s.kubectl(ctx, "delete", "pod", "web-3", "-n", "shop", "--wait=false"); err != nil {
		return err
	}
	if err := s.members(ctx, "web-1:8080 up", "web-2:8080 up", "web-3:8080 user-down draining terminating"); err != nil {
		return err
	}
	s.device(ctx)
	if err := s.writes(ctx, mark, 1); err != nil {
		return err
	}
	pod, err := s.kept.Ask(ctx)
	if err != nil {
		return fmt.Errorf("the client that stayed connected: %w", err)
	}
	if pod != "web-3" {
		return fmt.Errorf("the client that stayed connected was answered by %s", pod)
	}
	s.checked("the client that stayed connected is still answered by web-3")
	if err := s.members(ctx, "web-1:8080 up", "web-2:8080 up"); err != nil {
		return err
	}
	if err := s.unload(load); err != nil {
		return err
	}
	return s.look(ctx, "web-1", "web-2")
}

func (s *story) restart(ctx context.Context) error {
	c, err := s.world.Controller("landbridge")
	if err != nil {
		return err
	}
	load := world.StartLoad(s.url())
	defer load.Stop()
	mark := s.world.Active().Writes()
	c.Kill()
	s.said("killed", "SIGKILL")
	if err := s.controller(ctx); err != nil {
		return err
	}
	s.said("started", "it leads, and has read the cluster and the device")
	if err := s.writes(ctx, mark, 0); err != nil {
		return err
	}
	return s.unload(load)
}

func (s *story) deleted(ctx context.Context) error {
	var deleting errgroup.Group // what follows is over in a moment
	deleting.Go(func() error {
		_, err := s.kubectl(ctx, "delete", "service", "web", "-n", "shop", "--wait=false")
		return err
	})
	err := s.await(ctx, "the virtual server to be disabled", func(context.Context) (bool, error) {
		return strings.Contains(strings.Join(s.world.Virtuals(), "\n"), pool+" "+s.vip()+":80 tcp disabled"), nil
	})
	if err := errors.Join(deleting.Wait(), err); err != nil {
		return err
	}
	s.checked("first the virtual server is disabled and its members drain (drain-timeout 2s)")
	s.device(ctx)
	if err := s.await(ctx, "the Service to be gone", func(ctx context.Context) (bool, error) {
		names, err := s.kubectl(ctx, "get", "services", "-n", "shop", "-o", "name")
		return names == "", err
	}); err != nil {
		return err
	}
	s.checked("then the Service is gone: its finalizer was taken off")
	s.device(ctx)
	for _, o := range s.world.Standing() {
		if strings.Contains(o, "lb_lab_") || strings.Contains(o, "10.244.") || strings.Contains(o, s.vip()) {
			return fmt.Errorf("%s is left on the device", o)
		}
	}
	s.checked("nothing of it is left on the device: no virtual server, pool, member, node or virtual address")
	if t := world.Get(ctx, s.url(), 1); t.Failures["refused"] != 1 {
		return fmt.Errorf("a client got %s, want refused", t)
	}
	s.checked("a client is refused")
	return s.untouched()
}
