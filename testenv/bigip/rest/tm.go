package rest

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"landbridge.dev/testenv/bigip/mcp"
)

// place is what a path below /mgmt/tm names.
type place struct {
	kind   *mcp.Kind
	parent string // full path of the parent object, for items
	path   string // full path of the object; "" for a collection
	bare   bool   // the name was given without its partition
	stats  bool
}

func (p place) key() mcp.Key {
	return mcp.Key{Kind: p.kind.Path, Parent: p.parent, Path: p.path}
}

// tm serves everything below /mgmt/tm but transactions.
func (s *Server) tm(c *call, rest string) (any, error) {
	if id := c.Header.Get("X-F5-REST-Coordination-Id"); id != "" && c.Method != http.MethodGet {
		return s.enqueue(c, id)
	}
	if c.Method == http.MethodGet {
		return s.read(c, rest)
	}
	if answer, handled, err := s.command(c, rest); handled {
		return answer, err
	}
	body, err := decodeBody(c.body)
	if err != nil {
		return nil, err
	}
	q, err := parseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	change := write{method: c.Method, path: rest, body: body, user: c.user.name, query: q}
	if p, ok := s.locate(rest); ok {
		if err := s.mayWrite(p, change); err != nil {
			return nil, err
		}
	}
	if err := s.turn(c.Context()); err != nil {
		return nil, err
	}
	defer func() { <-s.commits }()
	if err := s.o.Unit.Writable(); err != nil {
		return nil, err
	}
	var answer any
	err = s.store.Update(func(tx *mcp.Tx) error {
		var err error
		answer, err = s.write(tx, change)
		return err
	})
	if err != nil {
		return nil, err
	}
	if f, ok := answer.(func() (any, error)); ok {
		return f()
	}
	return answer, nil
}

// write is one change: of a call, or queued in a transaction.
type write struct {
	method string
	path   string // below /mgmt/tm/, escaped
	body   map[string]any
	user   string
	query  query
}

// write carries out one change in a transaction. Its answer is rendered after
// the commit, when the generation is known.
func (s *Server) write(tx *mcp.Tx, w write) (any, error) {
	p, ok := s.locate(w.path)
	if !ok || p.stats {
		return nil, &frameworkError{http.StatusNotFound, "Public URI path not registered: /tm/" + w.path}
	}
	switch w.method {
	case http.MethodPost:
		return s.create(tx, p, w.body)
	case http.MethodPatch, http.MethodPut:
		if p.path == "" && p.kind.Naming != mcp.Singleton {
			return nil, mcp.NothingToDo()
		}
		return s.change(tx, p, w)
	case http.MethodDelete:
		if p.path == "" {
			return nil, &mcp.Error{Status: http.StatusBadRequest, Message: "Bad Request: DELETE is not supported on the collection", APIError: mcp.FromREST}
		}
		return nil, tx.Delete(p.key())
	}
	return nil, &frameworkError{http.StatusMethodNotAllowed, "Method not allowed: " + w.method}
}

func (s *Server) create(tx *mcp.Tx, p place, body map[string]any) (any, error) {
	if p.path != "" {
		return nil, &mcp.Error{Status: http.StatusMethodNotAllowed, Message: "Found invalid command: POST on an item", APIError: mcp.FromREST}
	}
	if p.kind.Path == "ltm/policy" && body["command"] == "publish" {
		return publish(tx, body)
	}
	o, err := tx.Create(p.kind.Path, p.parent, body)
	if err != nil {
		return nil, err
	}
	k := o.Key()
	return func() (any, error) {
		if err := bogusMissing(p, body, k); err != nil {
			return nil, err
		}
		return s.objectAt(k, view{}), nil
	}, nil
}

// bogusMissing is a trap of real devices: a member posted without a partition
// into a pool outside Common is added, but the answer looks for it in Common
// and is a 404 (openshift/origin #6439, POSH-LTM-Rest #55).
func bogusMissing(p place, body map[string]any, k mcp.Key) error {
	name, _ := body["name"].(string)
	partition, _ := body["partition"].(string)
	if p.kind.Path != "ltm/pool/members" || partition != "" || strings.HasPrefix(name, "/") || strings.HasPrefix(k.Path, "/Common/") {
		return nil
	}
	return mcp.NotFound(p.kind, p.parent, "/Common/"+name, true)
}

func (s *Server) change(tx *mcp.Tx, p place, w write) (any, error) {
	modify := tx.Modify
	switch {
	case w.method == http.MethodPut:
		modify = tx.Replace
	case w.query.options == "create-draft":
		modify = func(k mcp.Key, _ map[string]any) (*mcp.Object, error) { return tx.CreateDraft(k) }
	case w.query.options != "":
		modify = func(k mcp.Key, _ map[string]any) (*mcp.Object, error) { return tx.EditRecords(k, w.query.options) }
	}
	o, err := modify(p.key(), w.body)
	if err != nil {
		return nil, err
	}
	k := o.Key()
	return func() (any, error) { return s.objectAt(k, view{bare: p.bare, query: w.query}), nil }, nil
}

// publish makes a draft of a policy the policy.
func publish(tx *mcp.Tx, body map[string]any) (any, error) {
	name, _ := body["name"].(string)
	partition, _ := body["partition"].(string)
	if partition == "" {
		partition = "Common"
	}
	if err := tx.Publish(mcp.Absolute(name, "/"+partition)); err != nil {
		return nil, err
	}
	return doc{{"kind", "tm:ltm:policy:publishstate"}, {"command", "publish"}, {"name", name}}, nil
}

// objectAt renders an object after a commit; another call may have deleted it
// since.
func (s *Server) objectAt(k mcp.Key, v view) any {
	o, ok := s.store.Get(k)
	if !ok {
		return doc{}
	}
	return s.object(o, v)
}

// locate finds what a path names: kind, object, subcollection, item, stats.
func (s *Server) locate(rest string) (place, bool) {
	segs := strings.Split(strings.Trim(rest, "/"), "/")
	var p place
	if last := len(segs) - 1; last > 0 && segs[last] == "stats" {
		p.stats, segs = true, segs[:last]
	}
	for n := min(len(segs), 4); n > 0; n-- {
		k, ok := s.store.Kind(strings.Join(segs[:n], "/"))
		if !ok || k.Parent() != nil {
			continue
		}
		p.kind = k
		return s.below(p, segs[n:])
	}
	return place{}, false
}

// below walks the segments after the collection.
func (s *Server) below(p place, segs []string) (place, bool) {
	if len(segs) == 0 {
		return p, true
	}
	if p.kind.Naming == mcp.Singleton {
		return p, false
	}
	path, bare, ok := fullPath(segs[0], p.kind)
	if !ok {
		return p, false
	}
	p.path, p.bare = path, bare
	if len(segs) == 1 {
		return p, true
	}
	sub, ok := p.kind.Sub(segs[1])
	if !ok {
		return p, false
	}
	owner := mcp.Object{Parent: p.parent, Path: path}
	return s.below(place{kind: sub, parent: owner.ItemsParent(), stats: p.stats}, segs[2:])
}

// fullPath reads a name in a URL: "~web~x" is "/web/x"; a bare "x" means
// "/Common/x".
func fullPath(seg string, k *mcp.Kind) (path string, bare, ok bool) {
	name, err := url.PathUnescape(seg)
	if err != nil {
		return "", false, false
	}
	switch {
	case k.Naming == mcp.Plain:
		return name, false, true
	case strings.HasPrefix(name, "~"), strings.HasPrefix(name, "/"):
		return strings.ReplaceAll(name, "~", "/"), false, true
	case k.Naming == mcp.Tree:
		return "/" + strings.ReplaceAll(name, "~", "/"), false, true
	}
	return "/Common/" + strings.ReplaceAll(name, "~", "/"), true, true
}

// decodeBody reads the JSON object of a write; no body is an empty one.
func decodeBody(data []byte) (map[string]any, error) {
	if text := strings.TrimSpace(string(data)); text == "" || text == "null" {
		return map[string]any{}, nil
	}
	v, err := mcp.DecodeJSON(data)
	m, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, &mcp.Error{Status: http.StatusBadRequest, Message: "Found invalid JSON body in the request.", APIError: mcp.FromREST}
	}
	return maps.Clone(m), nil
}
