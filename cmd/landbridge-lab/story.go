package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"landbridge.dev/testenv/messages"
	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/world"
)

func newStory() *cobra.Command {
	only := 0
	cmd := &cobra.Command{
		Use:   "story",
		Short: "Play the main job and a migration in front of you; exit code 0 only if all was checked",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return inside(cmd.Context(), netns.Options{
				Prepare: func(ctx context.Context) error { return world.Prepare(ctx, cmd.OutOrStdout()) },
			}, func(ctx context.Context) error {
				s := newTelling(cmd.OutOrStdout())
				chapters := s.chapters()
				if only > 0 {
					chapters = chapters[:min(only, len(chapters))]
				}
				return s.tell(ctx, chapters, s.table)
			})
		},
	}
	cmd.Flags().IntVar(&only, "chapters", 0, "play only the first `N` chapters; 0 plays all")
	return cmd
}

// inside runs this program again in namespaces of its own, and in there body.
func inside(ctx context.Context, o netns.Options, body func(context.Context) error) error {
	code, err := netns.Enter(ctx, o)
	switch {
	case errors.Is(err, netns.ErrInside):
		return body(ctx)
	case err != nil:
		return err
	case code != 0:
		return exitCode(code)
	}
	return nil
}

// story is one telling: what was done, what was seen, what was checked.
type story struct {
	out    io.Writer
	world  *world.World
	checks int

	kept    *world.Conn // a client that stays connected
	foreign string      // what the network team has on the device, as it was at first

	cart, search *migration // what VMs serve behind the BIG-IP, and is moved
	orders       *orders    // the queue that VMs consume, and is moved
	till         *till      // what VMs serve that register, and is moved
	routes       *routes    // the router in front of the cluster
}

func newTelling(out io.Writer) *story {
	s := &story{out: out}
	s.cart, s.search = s.newCart(), s.newSearch()
	s.till = s.newTill()
	s.orders = &orders{story: s, ledger: messages.NewLedger(), ips: map[string]string{}, pods: map[string]string{}}
	s.orders.deploy, s.orders.withdraw = s.orders.startGateway, s.orders.stopGateway
	s.routes = &routes{story: s}
	return s
}

// chapter is a part of the story: what one team does. It is a file of its own,
// begins with the company as it stands, and leaves nothing behind but a running
// controller.
type chapter struct {
	title string
	steps []step
}

// chapters are the story, in the order in which it is told.
func (s *story) chapters() []chapter {
	return []chapter{s.beginning(), s.ownService(), s.joining(), s.adopting(), s.ordering(), s.registering(), s.routing()}
}

// step is a part of the story with a title of its own.
type step struct {
	title string
	play  func(context.Context) error
}

// stepTimeout bounds a step; each takes a few seconds, on a machine that has
// nothing else to do.
const stepTimeout = 4 * time.Minute

// errFailed is a story that did not end well; why was told.
var errFailed = errors.New("the story did not end well")

// tell plays the chapters, and sums up at the end.
func (s *story) tell(ctx context.Context, chapters []chapter, sumUp func() error) (err error) {
	began := time.Now()
	defer func() {
		if s.kept != nil {
			s.kept.Close()
		}
		s.cart.end()
		s.search.end()
		s.orders.end()
		s.till.end()
		err = errors.Join(err, s.routes.end())
		if s.world != nil {
			err = errors.Join(err, s.world.Stop())
		}
	}()
	steps, played := 0, 0
	for _, c := range chapters {
		steps += len(c.steps)
	}
	for _, c := range chapters {
		fmt.Fprintf(s.out, "\n%s\n%s\n", c.title, strings.Repeat("─", utf8.RuneCountInString(c.title)))
		for _, st := range c.steps {
			played++
			if err := s.play(ctx, fmt.Sprintf("%d/%d", played, steps), st); err != nil {
				return err
			}
		}
	}
	if err := sumUp(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\nAll %d steps went as they should: %d checks in %.0f s.\n", steps, s.checks, time.Since(began).Seconds())
	return nil
}

// play plays one step. When it fails it tells why, with the ends of the logs.
func (s *story) play(ctx context.Context, number string, st step) error {
	fmt.Fprintf(s.out, "\n%s  %s\n", number, st.title)
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	began := time.Now()
	if err := st.play(ctx); err != nil {
		fmt.Fprintf(s.out, "     FAILED after %.1f s: %v\n", time.Since(began).Seconds(), err)
		s.tails()
		return errFailed
	}
	fmt.Fprintf(s.out, "     done in %.1f s\n", time.Since(began).Seconds())
	return nil
}

// said prints lines under a heading in the margin.
func (s *story) said(heading, text string) {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		text = "(nothing)"
	}
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(s.out, "     %-9s %s\n", heading, line)
		heading = ""
	}
}

// checked tells of a check that was passed.
func (s *story) checked(format string, args ...any) {
	s.checks++
	s.said("checked", fmt.Sprintf(format, args...))
}

// tailLines are how many lines of each log are shown after a failure.
const tailLines = 12

// tails prints the ends of all logs.
func (s *story) tails() {
	if s.world == nil {
		return
	}
	for name, path := range s.world.Logs() {
		log, err := os.ReadFile(path)
		if err != nil {
			continue // it never ran
		}
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		fmt.Fprintf(s.out, "\n--- the end of %s's log\n%s\n", name, strings.Join(lines[max(0, len(lines)-tailLines):], "\n"))
	}
}
