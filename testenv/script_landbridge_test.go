package testenv_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"landbridge.dev/testenv/world"
)

// landbridge runs controllers in the background, and all other commands of the
// program in the foreground.
func landbridge(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) == 0 {
		return world.Output{}, usage(args)
	}
	verb, rest := args[0], args[1:]
	switch verb {
	case "launch", "start":
		name, flags := named(rest)
		c, err := s.world.StartController(name, flags...)
		if err == nil && verb == "start" {
			err = c.AwaitLeading(ctx)
		}
		return world.Output{}, err
	case "await":
		if len(rest) == 0 {
			return world.Output{}, usage(args)
		}
		name, _ := named(rest[1:])
		return world.Output{}, awaitController(ctx, s, rest[0], name)
	case "within":
		if len(rest) == 0 {
			return world.Output{}, usage(args)
		}
		name, _ := named(rest[1:])
		return world.Output{}, within(s, rest[0], name)
	case "stop", "kill", "pause", "resume", "log", "audit", "metrics":
		name, _ := named(rest)
		c, err := s.world.Controller(name)
		if err != nil {
			return world.Output{}, err
		}
		return controller(ctx, c, verb)
	case "as": // somebody else, without any configuration
		return landbridgeAs(ctx, s, rest)
	case "version":
		return s.world.Landbridge(ctx, args...)
	case "allow": // people allow and wait, with rights of their own
		own := []string{verb, "--kubeconfig", s.world.Kube.Kubeconfig()}
		return s.world.Landbridge(ctx, append(own, rest...)...)
	case "share", "release", "plan": // people do, with rights of their own; to plan the controller's would do, but for -f
		if verb == "plan" && !slices.Contains(rest, "-f") {
			break
		}
		own := []string{verb, "--kubeconfig", s.world.Kube.Kubeconfig(), "--config", s.world.Config()}
		return s.world.Landbridge(ctx, append(own, rest...)...)
	case "wait":
		return s.world.Landbridge(ctx, append(args, "--kubeconfig", s.world.Kube.Kubeconfig())...)
	}
	return s.world.Landbridge(ctx, append([]string{verb, "--config", s.world.Config()}, rest...)...)
}

// landbridgeAs runs a command with the rights of a ServiceAccount, given as
// NAMESPACE/NAME, and with nothing else: as people do on their laptops.
func landbridgeAs(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) < 2 {
		return world.Output{}, usage(args)
	}
	namespace, account, _ := strings.Cut(args[0], "/")
	kubeconfig, err := s.world.Kube.KubeconfigFor(ctx, namespace, account)
	if err != nil {
		return world.Output{}, err
	}
	return s.world.Landbridge(ctx, append(args[1:], "--kubeconfig", kubeconfig)...)
}

// named splits the name of a controller from its flags.
func named(args []string) (name string, flags []string) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return args[0], args[1:]
	}
	return "controller", args
}

func awaitController(ctx context.Context, s *script, what, name string) error {
	c, err := s.world.Controller(name)
	if err != nil {
		return err
	}
	switch what {
	case "leading":
		return c.AwaitLeading(ctx)
	case "standby":
		return c.AwaitStandby(ctx)
	case "end":
		return c.AwaitEnd(ctx)
	}
	return usage([]string{"await", what})
}

// within says whether a controller's first change came soon enough after it
// last won the lease.
func within(s *script, limit, name string) error {
	d, err := time.ParseDuration(limit)
	if err != nil {
		return err
	}
	c, err := s.world.Controller(name)
	if err != nil {
		return err
	}
	took, err := c.TookOver()
	if err == nil && took > d {
		err = fmt.Errorf("controller %s: the first change came %s after it won the lease", name, took)
	}
	return err
}

func controller(ctx context.Context, c *world.Controller, verb string) (world.Output, error) {
	switch verb {
	case "stop":
		return world.Output{}, c.Stop(ctx)
	case "kill":
		c.Kill()
		return world.Output{}, nil
	case "end":
		return world.Output{}, c.End()
	case "await":
		return world.Output{}, c.AwaitEnd(ctx)
	case "pause":
		return world.Output{}, c.Pause()
	case "resume":
		return world.Output{}, c.Resume()
	case "log":
		return world.Output{Stdout: c.Log()}, nil
	case "audit":
		var changes []string
		for _, line := range c.Audit() {
			changes = append(changes, strings.Join(slices.DeleteFunc([]string{line.Op, line.Kind, line.Name, line.Member}, func(s string) bool { return s == "" }), " "))
		}
		return lines(changes), nil
	}
	text, err := c.Metrics(ctx)
	return world.Output{Stdout: text}, err
}
