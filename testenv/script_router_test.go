package testenv_test

import (
	"context"
	"flag"
	"slices"

	"landbridge.dev/testenv/router"
	"landbridge.dev/testenv/world"
)

// routerCommand drives the routers that landbridge announces to.
func routerCommand(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) < 2 {
		return world.Output{}, usage(args)
	}
	if args[0] == "start" {
		return world.Output{}, startRouter(ctx, s, args[1:])
	}
	r, err := s.world.Router(args[1])
	if err != nil {
		return world.Output{}, err
	}
	switch args[0] {
	case "paths":
		paths, err := s.world.Paths(ctx, r)
		slices.Sort(paths)
		return lines(paths), err
	case "removed":
		removed, err := r.Removed()
		return lines(removed), err
	case "session":
		session, err := r.Session(ctx, args[2])
		return lines([]string{session.Info}), err
	case "do":
		answer, err := r.Do(args[2])
		return lines([]string{answer}), err
	case "pause":
		return world.Output{}, r.Pause()
	case "resume":
		return world.Output{}, r.Resume()
	case "kill":
		r.Kill()
		return world.Output{}, nil
	}
	return world.Output{}, usage(args)
}

func startRouter(ctx context.Context, s *script, args []string) error {
	f := flag.NewFlagSet("router start", flag.ContinueOnError)
	several := f.Bool("add-paths", false, "takes several next hops of a prefix")
	restart := f.Int("restart", 0, "keeps routes for so many seconds")
	key := f.String("key", "", "the key of TCP MD5")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	_, err := s.world.StartRouter(ctx, args[0], func(n *router.Neighbor) {
		n.AddPaths, n.Restart, n.Password = *several, *restart, *key
	})
	return err
}
