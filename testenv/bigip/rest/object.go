package rest

import (
	"maps"
	"slices"

	"landbridge.dev/testenv/bigip/mcp"
)

// view says how an object is shown.
type view struct {
	bare   bool // addressed without its partition: shown without it (captured)
	expand bool // subcollections inline
	query  query
}

// object renders an object as a GET shows it.
func (s *Server) object(o *mcp.Object, v view) doc {
	var d doc
	k := o.Kind
	d.add("kind", k.TypeName()+"state")
	if k.Naming != mcp.Singleton {
		s.naming(&d, o, v)
	}
	if k.Naming == mcp.Singleton {
		d.add("selfLink", s.link(k.Path, v.query))
	}
	s.props(&d, o)
	if k.Parent() != nil && k.Parent().Path == "ltm/virtual" {
		s.attached(&d, o)
	}
	for _, sub := range k.Subs {
		s.subcollection(&d, o, sub, v)
	}
	return d
}

// attached links a virtual server's profile or policy to the object that it
// is (TMOS 13 and later).
func (s *Server) attached(d *doc, o *mcp.Object) {
	group := "ltm/profile/"
	if o.Kind.Collection == "policies" {
		group = "ltm/policy"
	}
	if l, ok := s.linkTo(group, o.Path); ok {
		d.add("nameReference", l)
	}
}

func (s *Server) naming(d *doc, o *mcp.Object, v view) {
	d.add("name", o.Name)
	full, uri := o.Path, o.URI()
	if v.bare && o.Kind.Parent() == nil && o.Kind.Naming == mcp.InFolder {
		full, uri = o.Name, o.Kind.Path+"/"+mcp.URLName(o.Name)
	} else {
		if o.Partition != "" {
			d.add("partition", o.Partition)
		}
		if o.SubPath != "" {
			d.add("subPath", o.SubPath)
		}
	}
	d.add("fullPath", full)
	d.add("generation", o.Generation)
	d.add("selfLink", s.link(uri, v.query))
}

func (s *Server) props(d *doc, o *mcp.Object) {
	live := s.live(o)
	names := slices.SortedFunc(maps.Keys(o.Props), compareFold)
	for _, name := range names {
		p, ok := o.Kind.Prop(name)
		if !ok {
			d.add(name, o.Props[name])
			continue
		}
		if p.Secret {
			continue
		}
		value := o.Props[name]
		if p.Sealed {
			value = mcp.Seal(o.Str(name))
		}
		if over, ok := live[name]; ok {
			value = over
		}
		if p.Type == mcp.Flag && value != true {
			continue
		}
		d.add(name, s.linked(name, value))
		if p.Link {
			s.reference(d, p, value)
		}
	}
}

// compareFold orders names of ASCII letters, whatever their case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if c := int(lower(a[i])) - int(lower(b[i])); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// live are properties that show state rather than configuration: session and
// state of members and nodes, the failover state of the device.
func (s *Server) live(o *mcp.Object) map[string]any {
	switch o.Kind.Path {
	case "ltm/pool/members", "ltm/node":
		st := s.store.Status(o.Key())
		out := map[string]any{"state": st.Monitor}
		if name, _ := o.Map("fqdn")["tmName"].(string); name != "" && o.Kind.Path == "ltm/node" && st.Monitor == "unchecked" {
			out["state"] = "fqdn-up-no-addr" // nobody has resolved it (captured)
			return out
		}
		if o.Str("state") == "user-down" {
			out["state"] = "user-down"
		}
		if o.Str("session") == "user-enabled" && st.Monitor != "unchecked" {
			out["session"] = "monitor-enabled"
		}
		return out
	case "cm/device":
		return s.o.Unit.DeviceProps(o)
	case "cm/trust-domain":
		return s.o.Unit.DeviceProps(o)
	}
	return nil
}

// reference adds "<name>Reference": a link, or a list of links.
func (s *Server) reference(d *doc, p *mcp.Prop, value any) {
	switch v := value.(type) {
	case string:
		if l, ok := s.linkTo(p.Target, v); ok {
			d.add(p.Name+"Reference", l)
		}
	case []any:
		links := make([]any, 0, len(v))
		for _, e := range v {
			path, _ := e.(string)
			if l, ok := s.linkTo(p.Target, path); ok {
				links = append(links, l)
			}
		}
		d.add(p.Name+"Reference", links)
	}
}

func (s *Server) linkTo(group, path string) (map[string]any, bool) {
	o, ok := s.store.Find(group, path)
	if !ok {
		return nil, false
	}
	return link(s.url(o.URI())), true
}

// linked adds the links that lie inside object properties.
func (s *Server) linked(name string, value any) any {
	switch name {
	case "partitionAccess":
		return s.accessLinks(value)
	case "persist":
		list, _ := value.([]any)
		out := make([]any, 0, len(list))
		for _, e := range list {
			m, ok := e.(map[string]any)
			if !ok {
				continue
			}
			m = maps.Clone(m)
			vs := &mcp.Object{Props: map[string]any{"persist": []any{m}}}
			if l, ok := s.linkTo("ltm/persistence/", mcp.PersistencePaths(vs)[0]); ok {
				m["nameReference"] = l
			}
			out = append(out, m)
		}
		return out
	case "sourceAddressTranslation":
		m, _ := value.(map[string]any)
		if pool, ok := m["pool"].(string); ok {
			m = maps.Clone(m)
			if l, ok := s.linkTo("ltm/snatpool", pool); ok {
				m["poolReference"] = l
			}
			return m
		}
	}
	return value
}

// accessLinks links each partition that a user has a role in; all-partitions
// is linked although there is no such object (captured).
func (s *Server) accessLinks(value any) any {
	list, _ := value.([]any)
	out := make([]any, 0, len(list))
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		m = maps.Clone(m)
		name, _ := m["name"].(string)
		m["nameReference"] = link(s.url("auth/partition/" + mcp.URLName(name)))
		out = append(out, m)
	}
	return out
}

// subcollection adds "<name>Reference" of a subcollection, with its items when
// they are to be expanded.
func (s *Server) subcollection(d *doc, o *mcp.Object, sub *mcp.Kind, v view) {
	uri := o.URI() + "/" + sub.Collection
	ref := map[string]any{"link": s.url(uri), "isSubcollection": true}
	if v.expand {
		items := []any{}
		for _, it := range s.store.List(sub.Path, o.ItemsParent()) {
			items = append(items, s.object(it, view{expand: true}))
		}
		if len(items) > 0 {
			ref["items"] = items
		}
	}
	d.add(sub.Collection+"Reference", ref)
}

// Render returns an object as a GET of it shows it.
func (s *Server) Render(o *mcp.Object) map[string]any {
	data, err := encode(s.object(o, view{}))
	if err != nil {
		return nil
	}
	v, err := mcp.DecodeJSON(data)
	if err != nil {
		return nil
	}
	m, _ := v.(map[string]any)
	return m
}
