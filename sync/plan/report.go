package plan

import (
	"cmp"
	"slices"
	"strings"

	"landbridge.dev/sync/state"
)

// Report is a whole plan: what would change now on every backend, and what is
// not as asked. Its JSON is the answer of `landbridge plan -o json`.
type Report struct {
	// Schema is the version of this answer's shape.
	Schema   string    `json:"schema"`
	Cluster  string    `json:"cluster"`
	Services int       `json:"services"`
	Backends []Backend `json:"backends"`
	// Sessions are what becomes of the sessions with routers when the
	// configuration is taken up; those that stay as they are left out.
	Sessions []SessionEntry `json:"sessions,omitempty"`
	// Approvals are what waits for approval, sorted by Service.
	Approvals []ApprovalEntry `json:"approvals,omitempty"`
	// Problems are sorted by Service.
	Problems []ProblemEntry `json:"problems"`
}

// Schema is the version of Report that this version writes.
const Schema = "landbridge.dev/plan/v1"

// Backend is what would change on one backend.
type Backend struct {
	Name    string  `json:"name"`
	Objects int     `json:"objects"` // that stand there, foreign ones included
	Changes []Entry `json:"changes"`
}

// Entry is one change, as text.
type Entry struct {
	Op      Op     `json:"op"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Member  string `json:"member,omitempty"`
	Service string `json:"service"`
	// Before and After are the object's content, one property a line.
	Before     []string `json:"before,omitempty"`
	After      []string `json:"after,omitempty"`
	Why        string   `json:"why,omitempty"`
	Interrupts bool     `json:"interrupts,omitempty"`
}

// SessionOp is what becomes of a session with a router.
type SessionOp string

// What can become of a session.
const (
	SessionOpens  SessionOp = "open"
	SessionAnew   SessionOp = "reset"
	SessionCloses SessionOp = "close"
)

// SessionEntry is what becomes of one session.
type SessionEntry struct {
	Op   SessionOp `json:"op"`
	Peer string    `json:"peer"`
	Why  []string  `json:"why"`
	// Withdraws says that the routes are gone at the router for a while, or
	// for good.
	Withdraws bool `json:"withdraws,omitempty"`
}

// ApprovalEntry is one Service's plan that waits for approval.
type ApprovalEntry struct {
	Service string `json:"service"`
	// Hash is what has to be approved, and Given what is.
	Hash  string `json:"hash"`
	Given string `json:"given,omitempty"`
}

// ProblemEntry is one problem, as text.
type ProblemEntry struct {
	Service string `json:"service"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Notice is something to know although all is as it was asked.
	Notice bool `json:"notice,omitempty"`
}

// Add enters the plan of one Service on a backend.
func (r *Report) Add(backend string, service state.Ref, result Result) {
	i := slices.IndexFunc(r.Backends, func(b Backend) bool { return b.Name == backend })
	if i < 0 {
		r.Backends = append(r.Backends, Backend{Name: backend, Changes: []Entry{}})
		i = len(r.Backends) - 1
	}
	for _, c := range result.Changes {
		r.Backends[i].Changes = append(r.Backends[i].Changes, entryOf(service, c))
	}
	r.AddProblems(result.Problems)
}

// AddProblems enters problems, each once.
func (r *Report) AddProblems(problems []state.Problem) {
	for _, p := range problems {
		e := ProblemEntry{Service: p.Service.String(), Reason: p.Reason, Message: p.Message, Notice: p.Notice}
		if !slices.Contains(r.Problems, e) {
			r.Problems = append(r.Problems, e)
		}
	}
	slices.SortFunc(r.Problems, func(a, b ProblemEntry) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Message, b.Message))
	})
}

// AddApproval enters what a Service waits for, once.
func (r *Report) AddApproval(service state.Ref, a *state.Approval) {
	e := ApprovalEntry{Service: service.String(), Hash: a.Hash, Given: a.Given}
	if !slices.Contains(r.Approvals, e) {
		r.Approvals = append(r.Approvals, e)
	}
	slices.SortFunc(r.Approvals, func(a, b ApprovalEntry) int { return strings.Compare(a.Service, b.Service) })
}

// Changes is how many changes there are, over all backends and sessions.
func (r *Report) Changes() int {
	n := len(r.Sessions)
	for _, b := range r.Backends {
		n += len(b.Changes)
	}
	return n
}

// Faults are the problems that no approval takes away: all but notices, and
// what waits for one.
func (r *Report) Faults() []ProblemEntry {
	return slices.DeleteFunc(slices.Clone(r.Problems), func(p ProblemEntry) bool { return p.Notice || state.AwaitsApproval(p.Reason) })
}

func entryOf(service state.Ref, c Change) Entry {
	id := c.ID()
	e := Entry{
		Op: c.Op, Kind: string(id.Kind), Name: id.Name, Service: service.String(),
		Why: c.Why, Interrupts: c.Interrupts,
	}
	if id.Kind == state.KindMember {
		e.Member = id.Member.String()
	}
	taken := c.Op == Update && c.Before.OwnedBy() != c.After.OwnedBy()
	e.Before, e.After = contents(c.Before, taken), contents(c.After, taken)
	return e
}

// contents are an object's lines, without the owner, which the entry names,
// unless that is what changes.
func contents(o state.Object, withOwner bool) []string {
	if o == nil {
		return nil
	}
	if withOwner {
		return o.Lines()
	}
	return slices.DeleteFunc(slices.Clone(o.Lines()), func(l string) bool { return strings.HasPrefix(l, "owner ") })
}
