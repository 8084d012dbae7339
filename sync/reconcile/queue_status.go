package reconcile

import (
	"context"
	"fmt"
	"io"
	"strings"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// QueueStatus is how a Service's queue stands on the broker now. What is not
// known is absent, and never 0.
type QueueStatus struct {
	Queue string `json:"queue"`
	Mode  string `json:"mode"` // http or native
	// Share is mq-pod-share; absent in native mode.
	Share   *int `json:"share,omitempty"`
	Ready   *int `json:"ready,omitempty"`
	Unacked *int `json:"unacknowledged,omitempty"`
	// The consumers of both sides: Pods are, in http mode, the gateways'.
	Pods *int `json:"podConsumers,omitempty"`
	VMs  *int `json:"vmConsumers,omitempty"`
	// Messages a second: what comes in, and what each side settles.
	PublishRate *float64 `json:"publishRate,omitempty"`
	PodRate     *float64 `json:"podRate,omitempty"`
	VMRate      *float64 `json:"vmRate,omitempty"`
	// OldestSeconds is the age of the first message. The broker tells it of
	// classic queues alone, and where the publisher has set a timestamp.
	OldestSeconds *float64 `json:"oldestSeconds,omitempty"`
	DeadLetters   *int     `json:"deadLetters,omitempty"`
	// Unknown is why nothing is known.
	Unknown string `json:"unknown,omitempty"`

	problems []StatusProblem
}

// lookAtQueues looks at the queues that Services ask for, by what is good of
// their annotations, as gateways do.
func (v *View) lookAtQueues(ctx context.Context, inputs []translate.Input) {
	v.queues = map[state.Ref]*QueueStatus{}
	if v.Queues == nil {
		return
	}
	policy := translate.Policy{Config: acting(v.Config), Identity: v.Identity}
	book := ledger.NewQueues()
	serving := map[state.Ref]*state.QueueConsumer{}
	for _, in := range inputs {
		serving[in.Ref()] = translate.Serving(in, policy)
		book.Put(in.Ref(), serving[in.Ref()])
	}
	var served []*state.QueueConsumer
	for _, in := range inputs {
		ref := in.Ref()
		asked := translate.Queue(in, policy)
		if !asked.Asked {
			continue
		}
		q := &QueueStatus{}
		v.queues[ref] = q
		for _, p := range asked.Problems {
			q.problems = append(q.problems, StatusProblem{p.Reason, p.Message})
		}
		mine, holder := book.Consumer(ref)
		if mine == nil {
			q.Unknown = "it serves no queue now"
			if c := serving[ref]; c != nil {
				q.problems = append(q.problems, StatusProblem{"QueueTaken", taken(c, holder).Message})
			}
			continue
		}
		q.ask(mine)
		if v.Live == nil || v.Live(ref) {
			served = append(served, mine)
		}
	}
	if len(served) == 0 {
		return
	}
	seen, err := v.Queues(ctx, served)
	for _, c := range served {
		q := v.queues[c.Service]
		if found, ok := seen[c.Service]; ok {
			found.problems = q.problems
			*q = found
			q.ask(c)
		} else if err != nil {
			q.Unknown = err.Error()
		}
	}
}

// taken is the problem of a Service whose queue an older one serves.
func taken(c *state.QueueConsumer, holder state.Ref) state.Problem {
	return state.Problem{Service: c.Service, Reason: "QueueTaken", Message: fmt.Sprintf(
		"queue %s is served by the older Service %s; of two on one queue the older serves", c.Queue, holder)}
}

// ask sets what the Service asks for.
func (q *QueueStatus) ask(c *state.QueueConsumer) {
	q.Queue, q.Mode = c.Queue.String(), "native"
	if !c.Native {
		q.Mode, q.Share = "http", &c.PodShare
	}
}

// queueTable writes a line for each queue.
func (s *Status) queueTable(w io.Writer) {
	head := "\nQUEUE\tSERVICE\tREADY\tUNACKED\tIN/S\tPODS\tPODS/S\tVMS\tVMS/S\tSHARE\tOLDEST\tDEAD\n"
	for _, svc := range s.Services {
		q := svc.Queue
		if q == nil || q.Queue == "" {
			continue
		}
		fmt.Fprint(w, head)
		head = ""
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", q.Queue, svc.Service, count(q.Ready), count(q.Unacked), rate(q.PublishRate),
			count(q.Pods), rate(q.PodRate), count(q.VMs), rate(q.VMRate), count(q.Share), q.oldest(), count(q.DeadLetters))
	}
}

// words write a Service's queue; of no queue nothing.
func (q *QueueStatus) words(w io.Writer) {
	if q == nil || q.Queue == "" {
		return
	}
	fmt.Fprintf(w, "  queue %s, %s", q.Queue, q.Mode)
	if q.Share != nil {
		fmt.Fprintf(w, ", share of the pods %d", *q.Share)
	}
	if q.Unknown != "" {
		fmt.Fprintf(w, "\n    not known: %s\n", strings.ReplaceAll(q.Unknown, "\n", "; "))
		return
	}
	fmt.Fprintf(w, "\n    ready %s, unacknowledged %s, oldest %s, dead letters %s\n", count(q.Ready), count(q.Unacked), q.oldest(), count(q.DeadLetters))
	fmt.Fprintf(w, "    comes in %s/s; pods: consumers %s, %s/s; VMs: consumers %s, %s/s\n", rate(q.PublishRate), count(q.Pods), rate(q.PodRate), count(q.VMs), rate(q.VMRate))
}

// notKnown stands where a number would be.
const notKnown = "-"

func count(n *int) string {
	if n == nil {
		return notKnown
	}
	return fmt.Sprint(*n)
}

func rate(r *float64) string {
	if r == nil {
		return notKnown
	}
	return fmt.Sprintf("%.1f", *r)
}

func (q *QueueStatus) oldest() string {
	if q.OldestSeconds == nil {
		return notKnown
	}
	return fmt.Sprintf("%.0fs", *q.OldestSeconds)
}
