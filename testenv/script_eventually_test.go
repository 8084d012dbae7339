package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"landbridge.dev/testenv/world"
)

const (
	// patience is how long eventually waits unless told: no promise, but far longer
	// than what is waited for takes, also where many tests share a slow disk.
	patience = time.Minute
	// between is the pause between two tries.
	between = 50 * time.Millisecond
)

// expectation is what eventually waits for.
type expectation struct {
	pattern *regexp.Regexp // nil: the command fails
	not     bool
}

func (e expectation) met(out world.Output, err error) bool {
	if e.pattern == nil {
		return err != nil
	}
	return err == nil && e.pattern.MatchString(out.Stdout) != e.not
}

// eventually repeats a command until it does what is expected of it.
func eventually(ctx context.Context, s *script, args []string) (world.Output, error) {
	limit, expected, cmd, err := parseEventually(args)
	if err != nil {
		return world.Output{}, err
	}
	run, ok := language()[cmd[0]]
	if !ok {
		return world.Output{}, usage(cmd)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(between)
	defer tick.Stop()
	var last world.Output // of a try that was not cut off
	for {
		out, err := run(ctx, s, cmd[1:])
		if ctx.Err() == nil {
			if last = out; expected.met(out, err) {
				return out, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err == nil {
				err = errors.New("the output is not as expected")
			}
			return last, fmt.Errorf("not within %s; the last try: %w", limit, err)
		}
	}
}

func parseEventually(args []string) (limit time.Duration, e expectation, cmd []string, err error) {
	limit = patience
	if len(args) > 2 && args[0] == "-for" {
		if limit, err = time.ParseDuration(args[1]); err != nil {
			return 0, e, nil, err
		}
		args = args[2:]
	}
	if len(args) > 1 && args[0] == "-fails" {
		return limit, e, args[1:], nil
	}
	if len(args) > 1 && args[0] == "-not" {
		e.not, args = true, args[1:]
	}
	if len(args) < 2 {
		return 0, e, nil, usage(args)
	}
	e.pattern, err = regexp.Compile("(?m)" + args[0])
	return limit, e, args[1:], err
}
