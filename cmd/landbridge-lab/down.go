package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func newDown() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the running lab and remove every trace of it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := theLab()
			if err != nil {
				return err
			}
			return l.down(cmd.Context(), cmd.OutOrStdout())
		},
	}
}

// patience is how long the lab may take to end in order.
const patience = 20 * time.Second

// down ends the process that keeps the lab up, and with it all others.
func (l lab) down(ctx context.Context, out io.Writer) error {
	up, err := l.running()
	if err != nil {
		return err
	}
	if up {
		if err := l.end(ctx); err != nil {
			return err
		}
		fmt.Fprintln(out, "The lab is down.")
	} else {
		fmt.Fprintln(out, "The lab is not up.")
	}
	return errors.Join(os.RemoveAll(l.dir), os.RemoveAll(l.lockFile()))
}

// end tells the holder to end, and after a while makes it.
func (l lab) end(ctx context.Context) error {
	var r record
	if err := l.readJSON(readyFile, &r); err != nil {
		return fmt.Errorf("the lab is starting or ending: %w", err)
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(r.Holder, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("ending the lab's process %d: %w", r.Holder, err)
		}
		if ended, err := l.awaitEnd(ctx); ended || err != nil {
			return err
		}
	}
	return fmt.Errorf("the lab's process %d does not end", r.Holder)
}

// awaitEnd waits until nobody has claimed the lab any more.
func (l lab) awaitEnd(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		up, err := l.running()
		if !up || err != nil {
			return !up, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}
