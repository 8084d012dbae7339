package testenv_test

import (
	"context"
	"fmt"
	"strconv"

	"landbridge.dev/testenv/world"
)

// client is somebody who uses the services.
func client(ctx context.Context, s *script, args []string) (world.Output, error) {
	verb, n, rest, err := counted(args)
	if err != nil {
		return world.Output{}, err
	}
	switch {
	case verb == "get" && len(rest) == 1:
		return world.Output{Stdout: world.Get(ctx, rest[0], n).String()}, nil
	case verb == "udp" && len(rest) == 1:
		return world.Output{Stdout: world.AskUDP(ctx, rest[0], n).String()}, nil
	case verb == "connect" && len(rest) == 2:
		c, pod, err := world.Connect(ctx, rest[1])
		s.conns[rest[0]] = c
		return world.Output{Stdout: pod + "\n"}, err
	case verb == "ask" && len(rest) == 1 && s.conns[rest[0]] != nil:
		pod, err := s.conns[rest[0]].Ask(ctx)
		return world.Output{Stdout: pod + "\n"}, err
	case verb == "close" && len(rest) == 1 && s.conns[rest[0]] != nil:
		s.conns[rest[0]].Close()
		return world.Output{}, nil
	case verb == "load" && len(rest) == 1 && s.load == nil:
		s.load = world.StartLoad(rest[0])
		return world.Output{}, nil
	case verb == "unload" && len(rest) == 0 && s.load != nil:
		return unload(s)
	}
	return world.Output{}, usage(args)
}

// counted splits "get -n 20 URL".
func counted(args []string) (verb string, n int, rest []string, err error) {
	if len(args) == 0 {
		return "", 0, nil, usage(args)
	}
	if len(args) > 2 && args[1] == "-n" {
		n, err = strconv.Atoi(args[2])
		return args[0], n, args[3:], err
	}
	return args[0], 1, args[1:], nil
}

func unload(s *script) (world.Output, error) {
	t := s.load.Stop()
	s.load = nil
	out := world.Output{Stdout: t.String()}
	if t.Failed() > 0 || t.Answered() == 0 {
		return out, fmt.Errorf("%d requests failed, %d were answered", t.Failed(), t.Answered())
	}
	return out, nil
}
