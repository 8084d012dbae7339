package rest

import (
	"net/http"
	"strings"

	"landbridge.dev/testenv/bigip/mcp"
)

// read answers a GET below /mgmt/tm.
func (s *Server) read(c *call, rest string) (any, error) {
	q, err := parseQuery(c.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if answer, ok := s.system(rest, q); ok {
		return answer, nil
	}
	p, ok := s.locate(rest)
	if !ok {
		return s.index(c, rest, q)
	}
	if err := s.mayRead(c.user.name, p, rest); err != nil {
		return nil, err
	}
	if p.parent != "" {
		if _, ok := s.store.Get(p.kind.ParentKey(p.parent)); !ok {
			up := p.kind.ParentKey(p.parent)
			return nil, mcp.NotFound(p.kind.Parent(), up.Parent, up.Path, true)
		}
	}
	if p.stats {
		return s.stats(p, q)
	}
	if p.path == "" && p.kind.Naming != mcp.Singleton {
		return s.collection(c.user.name, p, q)
	}
	o, ok := s.store.Get(p.key())
	if !ok {
		return nil, mcp.NotFound(p.kind, p.parent, p.path, true)
	}
	return q.pick(s.object(o, view{bare: p.bare, expand: q.expand, query: q})), nil
}

// index answers a path that holds collections only, with references to them:
// /mgmt/tm/ltm, /mgmt/tm/ltm/monitor (captured).
func (s *Server) index(c *call, rest string, q query) (any, error) {
	kinds := s.store.KindsBelow(rest)
	if len(kinds) == 0 {
		return nil, s.unregistered(c)
	}
	items := make([]any, 0, len(kinds))
	for _, k := range kinds {
		items = append(items, map[string]any{"reference": link(s.url(k))})
	}
	var d doc
	last := rest[strings.LastIndex(rest, "/")+1:]
	d.add("kind", "tm:"+strings.ReplaceAll(rest, "/", ":")+":"+last+"collectionstate")
	d.add("selfLink", s.link(rest, q))
	d.add("items", items)
	return d, nil
}

// collection answers GET of a collection with its filter and paging.
func (s *Server) collection(user string, p place, q query) (any, error) {
	objects := s.store.List(p.kind.Path, p.parent)
	items := make([]any, 0, len(objects))
	for _, o := range objects {
		if !s.visible(user, o) {
			continue
		}
		d := s.object(o, view{expand: q.expand}) // links of items echo no query (captured)
		if q.matches(d) {
			items = append(items, q.pick(d))
		}
	}
	uri := p.kind.URI(p.parent, "")
	var d doc
	d.add("kind", p.kind.TypeName()+"collectionstate")
	d.add("selfLink", s.link(uri, q))
	items = q.page(&d, items, func(skip int) string { return s.link(uri, q.at(skip)) })
	d.add("items", items)
	return d, nil
}

// url is the self link of a path.
func (s *Server) url(uri string) string {
	return "https://localhost/mgmt/tm/" + uri + "?ver=" + s.store.Version()
}

// link is the self link of a path that was asked for with a query, which it
// echoes before the version (captured).
func (s *Server) link(uri string, q query) string {
	if len(q.echo) == 0 {
		return s.url(uri)
	}
	return "https://localhost/mgmt/tm/" + uri + "?" + strings.Join(q.echo, "&") + "&ver=" + s.store.Version()
}

func badQuery(format string) error {
	return &mcp.Error{Status: http.StatusBadRequest, Message: format, APIError: mcp.FromREST}
}
