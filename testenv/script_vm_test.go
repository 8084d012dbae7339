package testenv_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"landbridge.dev/testenv/world"
)

// agent runs agents of VMs in the background.
func agent(ctx context.Context, s *script, args []string) (world.Output, error) {
	switch {
	case is(args, "start", 2):
		_, err := s.world.StartAgent(args[1], args[2])
		return world.Output{}, err
	case is(args, "start", 3):
		_, err := s.world.StartAgentOn(args[3], args[1], args[2])
		return world.Output{}, err
	case is(args, "file", 1):
		text, err := os.ReadFile(filepath.Join(s.world.Dir(), args[1]))
		return world.Output{Stdout: string(text)}, err
	case len(args) == 2:
		c, err := s.world.Controller(args[1])
		if err != nil {
			return world.Output{}, err
		}
		return controller(ctx, c, args[0])
	}
	return world.Output{}, usage(args)
}

// vm is "vm start NAME…" and the like.
func vm(_ context.Context, s *script, args []string) (world.Output, error) {
	if len(args) < 2 {
		return world.Output{}, usage(args)
	}
	for _, name := range args[1:] {
		var err error
		switch args[0] {
		case "start":
			_, err = s.world.StartVM(name)
		case "stop":
			err = s.world.StopVM(name)
		case "apart":
			_, err = s.world.SetApart(name)
		case "cut", "mend":
			err = cable(s, args[0], name)
		default:
			err = usage(args)
		}
		if err != nil {
			return world.Output{}, err
		}
	}
	return world.Output{}, nil
}

// cable cuts a VM that was set apart from the broker, or mends that.
func cable(s *script, verb, name string) error {
	h := s.world.Apart(name)
	if h == nil {
		return fmt.Errorf("VM %s was not set apart", name)
	}
	if verb == "cut" {
		return h.Cut(s.world.Addresses.Broker())
	}
	return h.Mend(s.world.Addresses.Broker())
}
