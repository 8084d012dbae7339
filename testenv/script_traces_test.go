package testenv_test

import (
	"context"
	"errors"

	"landbridge.dev/testenv/collector"
	"landbridge.dev/testenv/world"
)

// collectorCommand starts a receiver of traces, and shows what it has.
func collectorCommand(_ context.Context, s *script, args []string) (world.Output, error) {
	if is(args, "start", 0) {
		c, err := collector.Start("127.0.0.1:0")
		if err != nil {
			return world.Output{}, err
		}
		s.collector = c
		s.world.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL())
		s.world.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100") // milliseconds; a script waits for it
		return world.Output{}, nil
	}
	if s.collector == nil {
		return world.Output{}, errors.New("there is no collector yet")
	}
	switch {
	case is(args, "hang", 0):
		s.collector.Hang()
		return world.Output{}, nil
	case is(args, "answer", 0):
		s.collector.Answer()
		return world.Output{}, nil
	case is(args, "traces", 1):
		trees, err := collector.Trees(s.collector.Spans(), args[1])
		return lines(trees), err
	}
	return world.Output{}, usage(args)
}
