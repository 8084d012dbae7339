package f5

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// attempt is how a transaction ended.
type attempt struct {
	// err is why it was not committed; nil when it was.
	err error
	// refused: nothing was done, for what was asked and not for the device's
	// sake. barred: no transaction can be begun at all.
	refused, barred bool
	// committing: the commit was sent.
	committing bool
	// at is the place of the command at which it ended; -1 when nobody knows
	// which that is.
	at int
}

// transact makes commands in one transaction: all, or none.
func (a *applier) transact(ctx context.Context, commands []command) attempt {
	id, err := a.session.begin(ctx)
	if err != nil {
		return attempt{err: err, refused: isRefusal(err), barred: isRefusal(err), at: -1}
	}
	for i, c := range commands {
		err := a.session.queue(ctx, id, c)
		if err == nil {
			continue
		}
		a.session.abandon(ctx, id)
		var answer *Error
		if errors.As(err, &answer) && answer.noTransaction() {
			err = &unitError{ReasonTransactionLost, fmt.Errorf("the device has lost the transaction before it was committed, nothing was changed: %w", err)}
		}
		return attempt{err: err, refused: isRefusal(err), at: i}
	}
	if err := a.group.still(ctx, a.lead); err != nil {
		a.session.abandon(ctx, id)
		return attempt{err: err, at: -1}
	}
	err = a.session.commit(ctx, id)
	if err == nil {
		return attempt{}
	}
	var answer *Error
	if !errors.As(err, &answer) {
		return attempt{err: err, committing: true, at: -1}
	}
	if answer.noTransaction() {
		// Whether it was lost before the commit or by it, nobody knows.
		err = &callError{method: http.MethodPatch, path: answer.Path, sent: true, err: errors.New(answer.Message)}
		return attempt{err: err, committing: true, at: -1}
	}
	return attempt{err: err, refused: isRefusal(err), committing: true, at: named(answer.Message, commands)}
}

func isRefusal(err error) bool {
	status, _, _ := classify(err)
	return status == apply.Refused
}

// named is the command whose object a device's text names first, in most
// detail: what it names after that is what stands in the way. -1 for none, and
// where it names what several Services' commands are of: a pod's address and
// port may be a member of two pools.
func named(message string, commands []command) int {
	at, several := -1, false
	var best span
	for i, c := range commands {
		switch s, ok := mentioned(message, c.change); {
		case !ok || at >= 0 && best.before(s):
		case at < 0 || s.before(best):
			at, best, several = i, s, false
		default:
			several = several || c.service != commands[at].service
		}
	}
	if several {
		return -1
	}
	return at
}

// span is a part of a text.
type span struct{ from, to int }

// before says whether s begins before o, or there and is longer.
func (s span) before(o span) bool { return s.from < o.from || s.from == o.from && s.to > o.to }

// mentioned is where a device's text names the object of a change, by its full
// path or a node's address. A member is named after its pool ("/web/p
// /Common/10.0.0.5 80", captured), or alone.
func mentioned(message string, c plan.Change) (first span, ok bool) {
	o := c.After
	if c.Op == plan.Delete {
		o = c.Before
	}
	names := []string{c.ID().Name}
	switch o := o.(type) {
	case *state.Node:
		names = append(names, o.Path)
	case *state.PoolMember:
		name := memberName(o.Node, o.Endpoint.Port)
		names = []string{fmt.Sprintf("%s %s %d", o.Pool, o.Node, o.Endpoint.Port), o.Pool + " " + name, name}
	}
	for _, n := range names {
		if s, found := find(message, n); found && (!ok || s.before(first)) {
			first, ok = s, true
		}
	}
	return first, ok
}

// find is where a name stands in a text, not as a part of a longer one.
func find(text, name string) (span, bool) {
	const open, closing = " \t\n('\"", " \t\n)'\","
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return span{}, false
		}
		s := span{from + i, from + i + len(name)}
		after := strings.TrimPrefix(text[s.to:], ".")
		dot := len(after) < len(text)-s.to
		begins := s.from == 0 || strings.IndexByte(open, text[s.from-1]) >= 0
		ends := after == "" || strings.IndexByte(closing, after[0]) >= 0 && (!dot || after[0] == ' ')
		if begins && ends {
			return s, true
		}
		from = s.from + 1
	}
}
