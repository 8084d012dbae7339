package testenv_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"landbridge.dev/testenv/world"
)

// device looks at the device, and does to it what others do.
func device(ctx context.Context, s *script, args []string) (world.Output, error) {
	w := s.world
	switch {
	case is(args, "members", 1):
		l, err := w.Members(ctx, args[1])
		return lines(l), err
	case is(args, "virtuals", 0):
		return lines(w.Virtuals()), nil
	case is(args, "standing", 0):
		return lines(w.Standing()), nil
	case is(args, "foreign", 0):
		text, err := w.Foreign()
		return world.Output{Stdout: text}, err
	case len(args) > 2 && args[0] == "snapshot":
		text, err := w.Snapshot(strings.Join(args[1:], " "))
		return world.Output{Stdout: text}, err
	case is(args, "do", 2), is(args, "do", 3):
		return do(s, args[1:])
	}
	return world.Output{}, steer(ctx, s, args)
}

// is says whether args are a verb and n more.
func is(args []string, verb string, n int) bool { return len(args) == n+1 && args[0] == verb }

// steer are the forms of device without output.
func steer(ctx context.Context, s *script, args []string) error {
	switch {
	case is(args, "mark", 0):
		s.mark = s.world.Device.Writes()
		return nil
	case is(args, "writes", 1):
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		return s.world.ExactWrites(ctx, s.mark, n, world.Quiet)
	case is(args, "quiet", 1):
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		return s.world.ExactWrites(ctx, s.world.Device.Writes(), 0, d)
	case is(args, "down", 0):
		s.world.Gate.Close()
		return nil
	case is(args, "up", 0):
		return s.world.Gate.Open()
	case is(args, "silent", 0):
		return s.world.Gate.Silence()
	}
	return usage(args)
}

// do is a call by somebody else.
func do(s *script, args []string) (world.Output, error) {
	var body any
	if len(args) == 3 {
		text, err := os.ReadFile(filepath.Join(s.world.Dir(), args[2]))
		if err != nil {
			return world.Output{}, err
		}
		if err := json.Unmarshal(text, &body); err != nil {
			return world.Output{}, fmt.Errorf("%s: %w", args[2], err)
		}
	}
	status, answer := s.world.Device.Do(args[0], "/mgmt/tm/"+args[1], body)
	text, err := json.MarshalIndent(answer, "", "  ")
	if status >= 400 {
		err = errors.Join(err, fmt.Errorf("status %d", status))
	}
	return world.Output{Stdout: string(text) + "\n"}, err
}
