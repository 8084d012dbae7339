package f5

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

const transactionsPath = "transaction"

const (
	// mostTogether bounds a transaction: a commit keeps mcpd from everybody
	// else for as long as it takes.
	mostTogether = 200
	// abandonTimeout bounds the deletion of a transaction that is not
	// committed; past it, the device drops it after 120 s by itself.
	abandonTimeout = 2 * time.Second
)

// command is one change as a call.
type command struct {
	change plan.Change
	method string
	path   string
	body   any
}

// commands are a Unit's changes as calls, if they go together: a Unit that
// makes or removes a pool or a virtual server goes whole or not at all. All
// else is single calls: a member takes traffic sooner after one call than after
// the three of the shortest transaction. So are these, that a transaction gets
// wrong:
//
//   - a member of a pool that is made or removed beside it: a transaction
//     cannot address what it has yet to make ("Found invalid command id"),
//   - an object removed and made anew, which breaks the peers of a device
//     group (f5-appsvcs-extension src/lib/fetch.js:1987); that is also the
//     virtual address that one virtual server leaves and another takes,
//   - what would be refused before it is sent, which the single call says.
func (a *applier) commands(changes []plan.Change) ([]command, bool) {
	if len(changes) < 2 || len(changes) > mostTogether {
		return nil, false
	}
	var commands []command
	whole := shape{made: map[string]bool{}, gone: map[string]bool{}}
	for _, c := range changes {
		cmd, ok := a.command(c)
		if !ok || !whole.add(c) {
			return nil, false
		}
		if cmd.path != "" {
			commands = append(commands, cmd)
		}
	}
	return commands, len(commands) > 1 && whole.fits()
}

// shape is what a Unit makes and removes, by ID, and by address what virtual
// servers take and leave.
type shape struct {
	made, gone map[string]bool
	members    []string // IDs of pools of which single members change
	whole      bool     // a pool or a virtual server comes or goes
}

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
	return s.whole
}

// command is a change as a call; without a path when it changes nothing.
func (a *applier) command(c plan.Change) (cmd command, ok bool) {
	if wellFormed(c) != nil {
		return command{}, false
	}
	switch c.Op {
	case plan.Create:
		path, body := creation(c.After)
		return command{c, http.MethodPost, path, body}, path != ""
	case plan.Update:
		path, changes := alteration(c.Before, c.After)
		if path != "" && len(changes) == 0 {
			return command{}, true
		}
		return command{c, http.MethodPatch, path, changes}, path != ""
	case plan.Delete:
		path := removal(c.Before)
		return command{c, http.MethodDelete, path, nil}, path != "" && a.opts.Identity.Owns(c.Before.OwnedBy())
	}
	return command{}, false
}

// together carries a Unit out in one transaction. If it is not settled by that,
// nothing was done, and single calls get further.
func (a *applier) together(ctx context.Context, u apply.Unit, commands []command) (out apply.Outcome, settled bool) {
	start := a.opts.Clock()
	id, err := a.session.begin(ctx)
	if err != nil {
		out := outcome(u.Changes[0], err)
		return out, out.Status != apply.Refused // this user may do without
	}
	for _, c := range commands {
		if err := a.session.queue(ctx, id, c); err != nil {
			a.session.abandon(ctx, id)
			return a.notQueued(ctx, c.change, err)
		}
	}
	if err := a.group.still(ctx, a.lead); err != nil {
		a.session.abandon(ctx, id)
		return nothingDone(u, err), true
	}
	err = a.session.commit(ctx, id)
	took := a.opts.Clock().Sub(start)
	if err == nil {
		a.auditAll(u.Service, commands, apply.Done, took)
		return apply.Outcome{Applied: len(u.Changes)}, true
	}
	out, settled = a.notCommitted(ctx, commands, err)
	if out.Status == apply.Unknown {
		a.auditAll(u.Service, commands, apply.Unknown, took)
	}
	return out, settled
}

func (a *applier) auditAll(service state.Ref, commands []command, status apply.Status, took time.Duration) {
	for _, c := range commands {
		a.audit(service, c.change, status, took)
	}
}

// notQueued says how a Unit ends of which a change could not be queued: nothing
// was done.
func (a *applier) notQueued(ctx context.Context, c plan.Change, err error) (apply.Outcome, bool) {
	var answer *Error
	if !errors.As(err, &answer) {
		return outcome(c, err), true
	}
	if answer.noTransaction() {
		return outcome(c, &unitError{ReasonTransactionLost, fmt.Errorf("the device has lost the transaction before it was committed, nothing was changed: %w", err)}), true
	}
	return a.blame(ctx, c, answer)
}

// notCommitted says how a Unit ends whose commit failed.
func (a *applier) notCommitted(ctx context.Context, commands []command, err error) (apply.Outcome, bool) {
	var answer *Error
	first := commands[0].change
	if !errors.As(err, &answer) {
		return outcome(first, err), true
	}
	if answer.noTransaction() {
		// Whether it was lost before the commit or by it, nobody knows.
		return outcome(first, &callError{method: http.MethodPatch, path: answer.Path, sent: true, err: errors.New(answer.Message)}), true
	}
	for _, c := range commands {
		if mentions(answer.Message, c.change) {
			return a.blame(ctx, c.change, answer)
		}
	}
	return outcome(first, answer), true
}

// blame says how a Unit ends of whose changes one was refused, and with it all.
// Where a single call takes the same answer for success, single calls go on.
func (a *applier) blame(ctx context.Context, c plan.Change, answer *Error) (apply.Outcome, bool) {
	switch {
	case c.Op == plan.Create && answer.exists():
		if err := a.standing(ctx, c.After, answer); err != nil {
			return outcome(c, err), true
		}
		return apply.Outcome{}, false
	case c.Op == plan.Delete && (answer.Code == codeNotFound || answer.absent()):
		return apply.Outcome{}, false
	case c.Op == plan.Delete && c.ID().Kind == state.KindNode && answer.Code == codeNodeInUse:
		return apply.Outcome{}, false
	}
	return outcome(c, answer), true
}

// mentions says whether a device's text names the object of a change: by its
// full path, or a node's address.
func mentions(message string, c plan.Change) bool {
	o := c.After
	if c.Op == plan.Delete {
		o = c.Before
	}
	names := []string{c.ID().Name}
	switch o := o.(type) {
	case *state.Node:
		names = append(names, o.Path)
	case *state.PoolMember:
		names = []string{memberName(o.Node, o.Endpoint.Port)}
	}
	for _, n := range names {
		found, err := regexp.MatchString(`(^|[\s('"])`+regexp.QuoteMeta(n)+`([\s)'",]|\.?$|\.\s)`, message)
		if err == nil && found {
			return true
		}
	}
	return false
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
