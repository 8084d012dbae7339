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

// ProblemEntry is one problem, as text.
type ProblemEntry struct {
	Service string `json:"service"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
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
		e := ProblemEntry{Service: p.Service.String(), Reason: p.Reason, Message: p.Message}
		if !slices.Contains(r.Problems, e) {
			r.Problems = append(r.Problems, e)
		}
	}
	slices.SortFunc(r.Problems, func(a, b ProblemEntry) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Message, b.Message))
	})
}

// Changes is how many changes there are, over all backends.
func (r *Report) Changes() int {
	n := 0
	for _, b := range r.Backends {
		n += len(b.Changes)
	}
	return n
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
