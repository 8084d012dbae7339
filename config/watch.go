package config

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"time"
)

// ErrRestart is part of the error when a changed file alters what a process
// is built from; the process has to be started anew to take it up.
var ErrRestart = errors.New("takes a restart")

// Watch reads the file every interval until ctx ends, and calls changed with
// each new valid configuration. One that is not valid, or that alters what
// cannot be altered while running, is given to failed, once, and the one before
// stays in force. It looks at the content, not at events: a mounted ConfigMap
// is changed by exchanging a symbolic link.
func Watch(ctx context.Context, path string, current *Config, interval time.Duration, changed func(*Config), failed func(error)) error {
	var last []byte // nil until looked at: the file may be newer than current
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		raw, err := os.ReadFile(path)
		if err != nil || bytes.Equal(raw, last) {
			continue // between two versions of a mounted file there may be none
		}
		first := last == nil
		last = raw
		next, err := Parse(raw)
		if first && err == nil && reflect.DeepEqual(current, next) {
			continue
		}
		if err == nil {
			err = current.Replaceable(next)
		}
		if err != nil {
			failed(err)
			continue
		}
		current = next
		changed(next)
	}
}

// Replaceable says whether a running process can go on with next in the place
// of c. If not, the error names what has changed, and is ErrRestart.
func (c *Config) Replaceable(next *Config) error {
	var errs []error
	for _, part := range []struct {
		name   string
		before any
		after  any
	}{
		{"cluster", c.Cluster, next.Cluster},
		{"formerUIDs", c.FormerUIDs, next.FormerUIDs},
		{"formerClusters", c.FormerClusters, next.FormerClusters},
		{"namespaces", c.Namespaces, next.Namespaces},
		{"bigip", c.BIGIP, next.BIGIP},
		{"mq", c.MQ, next.MQ},
		{"bgp", speaking(c), speaking(next)},
		{"brakes", c.Brakes, next.Brakes},
	} {
		if !reflect.DeepEqual(part.before, part.after) {
			errs = append(errs, &restartError{part.name})
		}
	}
	return errors.Join(errs...)
}

// speaking is what decides whether and by whom BGP is spoken, which a process
// is built from. Peers come and go while it runs.
func speaking(c *Config) any {
	if c.BGP == nil {
		return nil
	}
	return [...]any{c.BGP.ASN, c.BGP.RouterID, c.BGP.Speakers, c.BGP.PodNetworks}
}

type restartError struct{ part string }

func (e *restartError) Error() string {
	return e.part + ": has changed, which " + ErrRestart.Error() + " in this version"
}

func (e *restartError) Unwrap() error { return ErrRestart }
