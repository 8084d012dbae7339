package testenv_test

import (
	"context"
	"slices"
	"strings"

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
	case "stop", "kill", "log", "audit", "metrics":
		name, _ := named(rest)
		c, err := s.world.Controller(name)
		if err != nil {
			return world.Output{}, err
		}
		return controller(ctx, c, verb)
	case "version":
		return s.world.Landbridge(ctx, args...)
	case "wait": // people wait, with rights of their own
		return s.world.Landbridge(ctx, append(args, "--kubeconfig", s.world.Kube.Kubeconfig())...)
	}
	return s.world.Landbridge(ctx, append([]string{verb, "--config", s.world.Config()}, rest...)...)
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

func controller(ctx context.Context, c *world.Controller, verb string) (world.Output, error) {
	switch verb {
	case "stop":
		return world.Output{}, c.Stop(ctx)
	case "kill":
		c.Kill()
		return world.Output{}, nil
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
