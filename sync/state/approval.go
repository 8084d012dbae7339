package state

import "slices"

// Approval is a request that waits for somebody's approval.
type Approval struct {
	// Hash names what is asked for: what is to stand outside, apart from
	// what follows endpoints. It is what has to be approved.
	Hash string
	// Given is the hash that the Service carries; empty for none. It is of
	// something else: of a request before this one, say.
	Given string
	// Listed are the VM members that annotations name, sorted: they come
	// with the approval, as those that register do not.
	Listed []Endpoint
}

// approvedKey is the annotation that carries an approval.
const approvedKey = "landbridge.dev/approved"

// Reasons of problems that an approval takes away.
const (
	ReasonApprovalRequired = "ApprovalRequired"
	ReasonApprovalStale    = "ApprovalStale"
)

// AwaitsApproval says whether an approval takes the problem away.
func (p Problem) AwaitsApproval() bool { return AwaitsApproval(p.Reason) }

// AwaitsApproval says whether a reason is that of a missing approval.
func AwaitsApproval(reason string) bool {
	return reason == ReasonApprovalRequired || reason == ReasonApprovalStale
}

// Problem says, on behalf of a Service, what has to be approved, and how.
func (a *Approval) Problem(service Ref) Problem {
	how := "look at it with `landbridge plan`, and approve it by the annotation " + approvedKey + ": " + a.Hash +
		"; until then nothing is changed outside, and members that stand follow endpoints"
	if a.Given == "" {
		return Problem{Service: service, Reason: ReasonApprovalRequired, Message: "what is asked for has to be approved: " + how}
	}
	return Problem{
		Service: service, Reason: ReasonApprovalStale,
		Message: approvedKey + " is " + a.Given + ", which is not what is asked for now: " + how,
	}
}

func (a *Approval) same(o *Approval) bool {
	if a == nil || o == nil {
		return a == o
	}
	return a.Hash == o.Hash && a.Given == o.Given && slices.Equal(a.Listed, o.Listed)
}

// Unapproved is the Want as far as it holds without approval: what stands is
// held, and its members follow endpoints.
func (w Want) Unapproved() Want {
	listed := w.Approval.Listed
	w.Mode, w.Orphan, w.KeepVMs, w.Approval = Hold, false, true, nil
	w.Objects = WithoutVMs(w.Objects, func(e Endpoint) bool {
		_, named := slices.BinarySearchFunc(listed, e, Endpoint.Compare)
		return named
	})
	return w
}

// WithoutVMs are objects whose pools lack the VM members that drop names. Those
// given stay as they are.
func WithoutVMs(objects []Object, drop func(Endpoint) bool) []Object {
	without := slices.Clone(objects)
	for i, o := range without {
		if p, ok := o.(*Pool); ok {
			q := *p
			q.Members = slices.DeleteFunc(slices.Clone(p.Members), func(m Member) bool { return m.VM && drop(m.Endpoint) })
			without[i] = &q
		}
	}
	return without
}
