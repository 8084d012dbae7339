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

	"landbridge.dev/testenv/bigip/fault"
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
	case is(args, "foreign", 1) && args[1] == "-content":
		text, err := w.Foreign()
		return world.Output{Stdout: world.Bookkeeping().ReplaceAllString(text, "")}, err
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

// answering is how long a device may take to answer a call whose effect can be
// seen already: it counts once it was answered.
const answering = 300 * time.Millisecond

// steer are the forms of device without output.
func steer(ctx context.Context, s *script, args []string) error {
	switch {
	case is(args, "mark", 0):
		err := s.world.Settle(ctx, answering)
		s.mark = s.world.Device.Writes()
		return err
	case is(args, "writes", 1):
		least, most, err := writes(args[1])
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return s.world.WritesWithin(ctx, s.mark, least, most, world.Quiet)
	case is(args, "settle", 0):
		return s.world.Settle(ctx, time.Second)
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
	case is(args, "fault", 1):
		rule, err := fault.Parse(s.world.Expand(args[1]))
		if err != nil {
			return err
		}
		_, err = s.world.Device.Fault(rule)
		return err
	case is(args, "mend", 0):
		s.world.Device.ClearFaults()
		return nil
	}
	return usage(args)
}

// writes reads "N" or "N-M".
func writes(text string) (least, most int, err error) {
	from, to, ranged := strings.Cut(text, "-")
	if least, err = strconv.Atoi(from); err != nil || !ranged {
		return least, least, err
	}
	most, err = strconv.Atoi(to)
	return least, most, err
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
