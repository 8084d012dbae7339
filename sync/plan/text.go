package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Text writes a plan for people: a line for each change, what differs below
// it, then the problems and the sums. The same plan is written the same.
func (r *Report) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s", r.head())
	for _, b := range r.Backends {
		for _, e := range b.Changes {
			e.text(t, b.Name)
		}
	}
	for _, e := range r.Sessions {
		e.text(t)
	}
	if r.Changes() > 0 {
		fmt.Fprintln(t)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintln(t, "problems")
		for _, p := range r.Problems {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", p.Service, p.Reason, p.Message)
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintln(t, r.sums())
	if err := t.Flush(); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return nil
}

func (r *Report) head() string {
	parts := []string{"cluster " + r.Cluster, count(r.Services, "service")}
	for _, b := range r.Backends {
		parts = append(parts, b.Name+" "+count(b.Objects, "object"))
	}
	return strings.Join(parts, " · ") + "\n\n"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (e Entry) text(w io.Writer, backend string) {
	sign := map[Op]string{Create: "+", Update: "~", Delete: "-"}[e.Op]
	name := e.Name
	if e.Member != "" {
		name += " " + e.Member
	}
	fmt.Fprintf(w, "  %s %s\t%s\t%s\t%s", sign, e.Kind, backend, name, e.Service)
	if e.Why != "" {
		fmt.Fprintf(w, "\t(%s)", e.Why)
	}
	if e.Interrupts {
		fmt.Fprint(w, "\tINTERRUPTS clients for a moment")
	}
	fmt.Fprintln(w)
	switch e.Op {
	case Create:
		for _, line := range e.After {
			fmt.Fprintf(w, "        %s\n", line)
		}
	case Update:
		for _, line := range e.Before {
			if !slices.Contains(e.After, line) {
				fmt.Fprintf(w, "      - %s\n", line)
			}
		}
		for _, line := range e.After {
			if !slices.Contains(e.Before, line) {
				fmt.Fprintf(w, "      + %s\n", line)
			}
		}
	case Delete:
	}
}

func (e SessionEntry) text(w io.Writer) {
	sign := map[SessionOp]string{SessionOpens: "+", SessionAnew: "~", SessionCloses: "-"}[e.Op]
	fmt.Fprintf(w, "  %s session\tbgp\t%s\t%s", sign, e.Peer, strings.Join(e.Why, "; "))
	switch {
	case e.Withdraws && e.Op == SessionAnew:
		fmt.Fprint(w, "\tWITHDRAWS all routes there until it is up again")
	case e.Withdraws:
		fmt.Fprint(w, "\tWITHDRAWS all routes there")
	}
	fmt.Fprintln(w)
}

func (r *Report) sums() string {
	ops := map[Op]int{}
	for _, b := range r.Backends {
		for _, e := range b.Changes {
			ops[e.Op]++
		}
	}
	if r.Changes() == 0 {
		return "Plan: nothing to change."
	}
	sums := fmt.Sprintf("Plan: %d to create, %d to update, %d to delete", ops[Create], ops[Update], ops[Delete])
	if n := len(r.Sessions); n > 0 {
		sums += ", " + count(n, "session") + " to change"
	}
	return sums + "."
}
