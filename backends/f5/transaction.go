package f5

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

const (
	transactionsPath = "transaction"
	// transactionHeader says to which transaction a call belongs.
	transactionHeader = "X-F5-REST-Coordination-Id"
)

const (
	// mostTogether bounds a transaction, in commands: a commit keeps mcpd from
	// everybody else for as long as it takes.
	mostTogether = 200
	// abandonTimeout bounds the deletion of a transaction that is not
	// committed; past it, the device drops it after 120 s by itself.
	abandonTimeout = 2 * time.Second
)

// command is one change of a Service as a call.
type command struct {
	service state.Ref
	change  plan.Change
	method  string
	path    string
	body    any
}

// commands are changes as calls, if one transaction can hold them. It gets these
// wrong:
//
//   - a member of a pool that is made or removed beside it: a transaction
//     cannot address what it has yet to make ("Found invalid command id"),
//   - an object removed and made anew, which breaks the peers of a device
//     group (f5-appsvcs-extension src/lib/fetch.js:1987); that is also the
//     virtual address that one virtual server leaves and another takes,
//   - what would be refused before it is sent, which the single call says.
func (a *applier) commands(u apply.Unit) (commands []command, s shape, ok bool) {
	if len(u.Changes) > mostTogether {
		return nil, shape{}, false
	}
	s = newShape()
	for _, c := range u.Changes {
		cmd, ok := a.command(c)
		if !ok || !s.add(c) {
			return nil, shape{}, false
		}
		if cmd.path != "" {
			cmd.service = u.Service
			commands = append(commands, cmd)
		}
	}
	return commands, s, len(commands) > 0 && s.fits()
}

// shape is what changes make and remove, by ID, and by address what virtual
// servers take and leave.
type shape struct {
	made, gone map[string]bool
	members    []string // IDs of pools of which single members change
	whole      bool     // a pool or a virtual server comes or goes, or a share moves
}

func newShape() shape { return shape{made: map[string]bool{}, gone: map[string]bool{}} }

// add takes a change in; false when no transaction can hold it.
func (s *shape) add(c plan.Change) bool {
	o, into := c.After, s.made
	switch c.Op {
	case plan.Delete:
		o, into = c.Before, s.gone
	case plan.Update:
		into = map[string]bool{} // it stands before and after
	}
	switch o := o.(type) {
	case *state.PoolMember:
		s.members = append(s.members, state.ID{Backend: o.Backend, Kind: state.KindPool, Name: o.Pool}.String())
		s.whole = s.whole || movesShare(c)
		return true
	case *state.VirtualServer:
		if before, ok := c.Before.(*state.VirtualServer); c.Op == plan.Update && ok {
			return before.Destination.Address == o.Destination.Address // else it takes one, and leaves one
		}
		into["address "+o.Destination.Address.String()] = true
		s.whole = true
	case *state.Pool:
		s.whole = s.whole || c.Op != plan.Update
	}
	into[o.ID().String()] = true
	return true
}

// movesShare says whether a change is a step of moving a share, of which part
// alone would send the clients of a pool elsewhere than both before and after.
func movesShare(c plan.Change) bool {
	before, okBefore := c.Before.(*state.PoolMember)
	after, okAfter := c.After.(*state.PoolMember)
	return okBefore && okAfter && (before.Ratio != after.Ratio || before.Priority != after.Priority || before.Loan != nil || after.Loan != nil)
}

// fits says whether one transaction can hold all of it.
func (s *shape) fits() bool {
	for name := range s.made {
		if s.gone[name] {
			return false
		}
	}
	for _, pool := range s.members {
		if s.made[pool] || s.gone[pool] {
			return false
		}
	}
	return true
}

// with is both shapes as one.
func (s *shape) with(o shape) shape {
	both := newShape()
	for _, one := range []*shape{s, &o} {
		maps.Copy(both.made, one.made)
		maps.Copy(both.gone, one.gone)
		both.members = append(both.members, one.members...)
		both.whole = both.whole || one.whole
	}
	return both
}

// command is a change as a call; without a path when it changes nothing.
func (a *applier) command(c plan.Change) (cmd command, ok bool) {
	if wellFormed(c) != nil {
		return command{}, false
	}
	switch c.Op {
	case plan.Create:
		path, body := creation(c.After)
		return command{change: c, method: http.MethodPost, path: path, body: body}, path != ""
	case plan.Update:
		path, changes := alteration(c.Before, c.After)
		if path != "" && len(changes) == 0 {
			return command{}, true
		}
		return command{change: c, method: http.MethodPatch, path: path, body: changes}, path != ""
	case plan.Delete:
		path := removal(c.Before)
		return command{change: c, method: http.MethodDelete, path: path}, path != "" && a.mayRemove(c.Before) == nil
	}
	return command{}, false
}

// begin opens a transaction. The calls of one are told apart by a header, so
// that others are not swept in.
func (s *session) begin(ctx context.Context) (id string, err error) {
	data, err := s.call(ctx, http.MethodPost, transactionsPath, struct{}{})
	if err != nil {
		return "", err
	}
	var answer struct {
		ID int64 `json:"transId"`
	}
	if json.Unmarshal(data, &answer) != nil || answer.ID == 0 {
		return "", &callError{method: http.MethodPost, path: transactionsPath, sent: true, err: errNotObject}
	}
	return strconv.FormatInt(answer.ID, 10), nil
}

// queue adds a call to a transaction. Its answer is the record of the call, or
// on older versions of the transaction: only that it was taken counts.
func (s *session) queue(ctx context.Context, id string, c command) error {
	_, err := s.callIn(ctx, id, c.method, c.path, c.body)
	return err
}

// commit has all calls of a transaction made, or none.
func (s *session) commit(ctx context.Context, id string) error {
	path := transactionsPath + "/" + id
	data, err := s.call(ctx, http.MethodPatch, path, map[string]string{"state": "VALIDATING"})
	if err != nil {
		return err
	}
	var answer struct {
		State         string `json:"state"`
		FailureReason string `json:"failureReason"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return &callError{method: http.MethodPatch, path: path, sent: true, err: fmt.Errorf("%w (%w)", errNotObject, err)}
	}
	switch answer.State {
	case "COMPLETED":
		return nil
	case "FAILED":
		body, err := json.Marshal(map[string]string{"message": answer.FailureReason})
		if err != nil {
			return err
		}
		return newError(http.MethodPatch, path, http.StatusBadRequest, body)
	}
	return &callError{method: http.MethodPatch, path: path, sent: true, err: fmt.Errorf("the transaction is %q after its commit", answer.State)}
}

// abandon deletes a transaction that is not committed, also for a caller whose
// time is over. If that fails the device does it by itself.
func (s *session) abandon(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	_, _ = s.call(ctx, http.MethodDelete, transactionsPath+"/"+id, nil)
}

// noTransaction says that the device does not know the transaction: it was idle
// for too long, or icrd, which holds it in memory, has restarted.
func (e *Error) noTransaction() bool {
	return e.Status == http.StatusNotFound && strings.Contains(strings.ToLower(e.Message), "transaction id")
}
