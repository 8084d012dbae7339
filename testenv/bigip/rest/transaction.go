package rest

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// transaction is an open transaction: calls queued until it is committed.
type transaction struct {
	id       int64
	owner    string
	validate bool
	async    bool
	timeout  int64 // idle seconds
	lastUse  time.Time
	commands []queued
	next     int64
}

type queued struct {
	id    int64
	write write
	uri   string
	raw   any // the body as it came
}

// transactions are the open ones, of all users.
type transactions struct {
	clock   func() time.Time
	timeout time.Duration

	mu   sync.Mutex
	last int64
	all  map[int64]*transaction
}

func newTransactions(clock func() time.Time, timeout time.Duration) *transactions {
	return &transactions{clock: clock, timeout: timeout, all: make(map[int64]*transaction)}
}

func (t *transactions) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.all)
}

// use finds a transaction and counts the call as use; one that was idle for
// too long is gone.
func (t *transactions) use(text string) (*transaction, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	tr, ok := t.all[id]
	if err != nil || !ok {
		return nil, transactionMissing(text)
	}
	tr.lastUse = t.clock()
	return tr, nil
}

func (t *transactions) expire() {
	for id, tr := range t.all {
		if t.clock().Sub(tr.lastUse) >= time.Duration(tr.timeout)*time.Second {
			delete(t.all, id)
		}
	}
}

func transactionMissing(id string) error {
	return &mcp.Error{Status: http.StatusNotFound, Message: "Transaction ID " + id + " was not found.", APIError: mcp.FromREST}
}

// open makes a transaction; ids are microseconds, as devices use.
func (t *transactions) open(user string) *transaction {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	t.last = max(t.last+1, t.clock().UnixMicro())
	tr := &transaction{id: t.last, owner: user, timeout: int64(t.timeout / time.Second), lastUse: t.clock()}
	t.all[tr.id] = tr
	return tr
}

// transactionCall serves /mgmt/tm/transaction.
func (s *Server) transactionCall(c *call, rest string) (any, error) {
	if rest == "" {
		switch c.Method {
		case http.MethodPost:
			return s.transactionDoc(s.trans.open(c.user.name), "STARTED"), nil
		case http.MethodGet:
			return s.transactionList(), nil
		}
		return nil, s.unregistered(c)
	}
	id, sub, _ := strings.Cut(rest, "/")
	tr, err := s.trans.use(id)
	if err != nil {
		return nil, err
	}
	if sub != "" {
		return s.commandCall(c, tr, strings.TrimPrefix(sub, "commands"))
	}
	switch c.Method {
	case http.MethodGet:
		return s.transactionDoc(tr, "STARTED"), nil
	case http.MethodDelete:
		s.trans.mu.Lock()
		defer s.trans.mu.Unlock()
		delete(s.trans.all, tr.id)
		return nil, nil
	case http.MethodPatch:
		return s.patchTransaction(c, tr)
	}
	return nil, s.unregistered(c)
}

func (s *Server) transactionList() any {
	s.trans.mu.Lock()
	s.trans.expire()
	open := make([]*transaction, 0, len(s.trans.all))
	for _, tr := range s.trans.all {
		open = append(open, tr)
	}
	s.trans.mu.Unlock()
	slices.SortFunc(open, func(a, b *transaction) int { return int(a.id - b.id) })
	items := make([]any, 0, len(open))
	for _, tr := range open {
		items = append(items, s.transactionDoc(tr, "STARTED"))
	}
	var d doc
	d.add("items", items)
	d.add("kind", "tm:transactioncollectionstate")
	d.add("selfLink", s.url("transaction"))
	return d
}

func (s *Server) transactionDoc(tr *transaction, state string) doc {
	var d doc
	d.add("transId", tr.id)
	d.add("state", state)
	d.add("timeoutSeconds", tr.timeout)
	d.add("asyncExecution", tr.async)
	d.add("validateOnly", tr.validate)
	d.add("executionTimeout", 300)
	d.add("executionTime", 0)
	d.add("failureReason", "")
	d.add("kind", "tm:transactionstate")
	d.add("selfLink", s.url("transaction/"+strconv.FormatInt(tr.id, 10)))
	return d
}

// enqueue puts a call into a transaction; the answer is the record of the
// command, not the object.
func (s *Server) enqueue(c *call, id string) (any, error) {
	body, err := decodeBody(c.body)
	if err != nil {
		return nil, err
	}
	tr, err := s.trans.use(id)
	if err != nil {
		return nil, err
	}
	c.trans = tr.id
	path := strings.TrimSuffix(strings.TrimPrefix(c.path, "/mgmt/tm/"), "/")
	p, ok := s.locate(path)
	if !ok {
		return nil, s.unregistered(c)
	}
	q, err := parseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	change := write{method: c.Method, path: path, body: body, user: c.user.name, query: q}
	if err := s.mayWrite(p, change); err != nil {
		return nil, err
	}
	s.trans.mu.Lock()
	defer s.trans.mu.Unlock()
	if err := s.queueable(tr, path); err != nil {
		return nil, err
	}
	tr.next++
	cmd := queued{id: tr.next, uri: "https://localhost" + c.path, raw: body, write: change}
	tr.commands = append(tr.commands, cmd)
	return s.commandDoc(tr, cmd, len(tr.commands)), nil
}

// queueable refuses to address an item of an object that the same transaction
// creates ("Found invalid command id").
func (s *Server) queueable(tr *transaction, path string) error {
	p, _ := s.locate(path)
	if p.parent == "" {
		return nil
	}
	if _, ok := s.store.Get(p.kind.ParentKey(p.parent)); ok {
		return nil
	}
	for _, q := range tr.commands {
		created, ok := s.locate(q.write.path)
		if ok && q.write.method == http.MethodPost && created.kind == p.kind.Parent() {
			return &mcp.Error{Status: http.StatusBadRequest, Message: "Found invalid command id " + strconv.FormatInt(q.id, 10) + "/" + p.kind.Collection + "/", APIError: mcp.FromREST}
		}
	}
	return nil
}

func (s *Server) commandDoc(tr *transaction, q queued, order int) doc {
	var d doc
	d.add("method", q.write.method)
	d.add("uri", q.uri)
	if q.write.method != http.MethodDelete {
		d.add("body", q.raw)
	}
	d.add("evalOrder", order)
	d.add("commandId", q.id)
	d.add("kind", "tm:transaction:commandsstate")
	d.add("selfLink", s.url("transaction/"+strconv.FormatInt(tr.id, 10)+"/commands/"+strconv.FormatInt(q.id, 10)))
	return d
}

// commandCall serves the commands of a transaction: list, read, delete, and
// PATCH of evalOrder.
func (s *Server) commandCall(c *call, tr *transaction, rest string) (any, error) {
	s.trans.mu.Lock()
	defer s.trans.mu.Unlock()
	text := strings.Trim(rest, "/")
	if text == "" {
		items := make([]any, 0, len(tr.commands))
		for i, q := range tr.commands {
			items = append(items, s.commandDoc(tr, q, i+1))
		}
		var d doc
		d.add("items", items)
		d.add("kind", "tm:transaction:commandscollectionstate")
		d.add("selfLink", s.url("transaction/"+strconv.FormatInt(tr.id, 10)+"/commands"))
		return d, nil
	}
	i := slices.IndexFunc(tr.commands, func(q queued) bool { return strconv.FormatInt(q.id, 10) == text })
	if i < 0 {
		return nil, &mcp.Error{Status: http.StatusNotFound, Message: "Found invalid command id " + text, APIError: mcp.FromREST}
	}
	switch c.Method {
	case http.MethodGet:
		return s.commandDoc(tr, tr.commands[i], i+1), nil
	case http.MethodDelete:
		tr.commands = slices.Delete(tr.commands, i, i+1)
		return nil, nil
	case http.MethodPatch:
		body, err := decodeBody(c.body)
		if err != nil {
			return nil, err
		}
		return s.reorder(tr, i, body), nil
	}
	return nil, s.unregistered(c)
}

func (s *Server) reorder(tr *transaction, i int, body map[string]any) any {
	q := tr.commands[i]
	to, ok := body["evalOrder"].(int64)
	if ok && to >= 1 && to <= int64(len(tr.commands)) {
		tr.commands = slices.Insert(slices.Delete(tr.commands, i, i+1), int(to-1), q)
		i = int(to - 1)
	}
	return s.commandDoc(tr, q, i+1)
}

// patchTransaction changes the settings of a transaction, or commits it with
// state VALIDATING.
func (s *Server) patchTransaction(c *call, tr *transaction) (any, error) {
	body, err := decodeBody(c.body)
	if err != nil {
		return nil, err
	}
	s.trans.mu.Lock()
	if v, ok := body["validateOnly"].(bool); ok {
		tr.validate = v
	}
	if v, ok := body["asyncExecution"].(bool); ok {
		tr.async = v
	}
	if v, ok := body["timeoutSeconds"].(int64); ok && v > 0 {
		tr.timeout = v
	}
	s.trans.mu.Unlock()
	if state, ok := body["state"].(string); !ok {
		return s.transactionDoc(tr, "STARTED"), nil
	} else if state != "VALIDATING" {
		return nil, &mcp.Error{Status: http.StatusBadRequest, Message: "invalid property value \"state\":" + strconv.Quote(state), APIError: mcp.FromTMSH}
	}
	return s.commitTransaction(c, tr)
}

// commitTransaction carries out all commands or none. It ends the transaction
// either way, but for one that was empty or only validated.
func (s *Server) commitTransaction(c *call, tr *transaction) (any, error) {
	if err := s.turn(c.Context()); err != nil {
		return nil, err
	}
	defer func() { <-s.commits }()
	if err := s.o.Unit.Writable(); err != nil {
		return nil, err
	}
	s.trans.mu.Lock()
	commands, dry := slices.Clone(tr.commands), tr.validate
	if len(commands) > 0 && !dry {
		delete(s.trans.all, tr.id)
	}
	s.trans.mu.Unlock()
	c.trans = tr.id
	if len(commands) == 0 {
		return nil, failedTransaction(errors.New("there is no command to commit in the transaction"))
	}
	run := s.store.Update
	if dry {
		run = s.store.Validate
	}
	err := run(func(tx *mcp.Tx) error {
		for _, q := range commands {
			if _, err := s.write(tx, q.write); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, failedTransaction(err)
	}
	return s.transactionDoc(tr, "COMPLETED"), nil
}

func failedTransaction(err error) error {
	return &mcp.Error{Status: http.StatusBadRequest, Message: "transaction failed:" + err.Error(), APIError: mcp.FromTran}
}
