package mcp

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// target is what a reference names: a kind, or a group of kinds ending in a
// slash, and a full path.
type target struct {
	Group, Path string
}

// targets returns all that an object names.
func (o *Object) targets() []target {
	var out []target
	for i := range o.Kind.Props {
		p := &o.Kind.Props[i]
		switch p.Type {
		case Ref:
			if s := o.Str(p.Name); s != "" && s != "none" {
				out = append(out, target{p.Target, s})
			}
		case RefList:
			for _, s := range o.Strings(p.Name) {
				out = append(out, target{p.Target, s})
			}
		}
	}
	if o.Kind.refs != nil {
		out = append(out, o.Kind.refs(o)...)
	}
	return out
}

func (s *Store) targetsOf(k Key) []target {
	kind := s.kinds[k.Kind]
	if kind == nil {
		return nil
	}
	out := []target{{k.Kind, k.Path}}
	if kind.Group != "" {
		out = append(out, target{kind.Group, k.Path})
	}
	return out
}

// link enters an object into the configuration and its indexes.
func (s *Store) link(o *Object) {
	s.print = ""
	k := o.Key()
	if s.objects[k.Kind] == nil {
		s.objects[k.Kind] = make(map[Key]*Object)
	}
	s.objects[k.Kind][k] = o
	if o.Kind.parent != nil {
		pk := o.Kind.ParentKey(o.Parent)
		if s.children[pk] == nil {
			s.children[pk] = make(map[Key]*Object)
		}
		s.children[pk][k] = o
	}
	if g := o.Kind.Group; g != "" {
		if s.shared[g] == nil {
			s.shared[g] = make(map[string]*Object)
		}
		s.shared[g][o.Path] = o
	}
	if a, ok := s.addressOf(o); ok {
		s.addresses[a] = k
	}
	for _, t := range o.targets() {
		if s.referrers[t] == nil {
			s.referrers[t] = make(map[Key]int)
		}
		s.referrers[t][k]++
	}
}

// unlink takes an object out again.
func (s *Store) unlink(o *Object) {
	s.print = ""
	k := o.Key()
	delete(s.objects[k.Kind], k)
	if o.Kind.parent != nil {
		pk := o.Kind.ParentKey(o.Parent)
		delete(s.children[pk], k)
		if len(s.children[pk]) == 0 {
			delete(s.children, pk)
		}
	}
	if g := o.Kind.Group; g != "" {
		delete(s.shared[g], o.Path)
	}
	if a, ok := s.addressOf(o); ok && s.addresses[a] == k {
		delete(s.addresses, a)
	}
	for _, t := range o.targets() {
		if s.referrers[t][k]--; s.referrers[t][k] <= 0 {
			delete(s.referrers[t], k)
		}
		if len(s.referrers[t]) == 0 {
			delete(s.referrers, t)
		}
	}
}

// check validates, at the end of a transaction, that all it changed names
// what exists and may be named, and that nothing names what it deleted.
func (tx *Tx) check() error {
	for _, k := range slices.SortedFunc(maps.Keys(tx.touched), compareKeys) {
		o := tx.get(k)
		if o == nil {
			if err := tx.checkGone(k); err != nil {
				return err
			}
			continue
		}
		for _, t := range o.targets() {
			if err := tx.checkTarget(o, t); err != nil {
				return err
			}
		}
		if o.Kind.final != nil {
			if err := o.Kind.final(tx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (tx *Tx) checkTarget(o *Object, t target) error {
	to, ok := tx.s.find(t.Group, t.Path)
	if !ok {
		return notFound(tx.nounOf(t.Group), t.Path)
	}
	if o.Partition == "" || to.Partition == "" || to.Partition == "Common" {
		return nil
	}
	from := o
	if o.Kind.parent != nil {
		if parent := tx.get(o.Kind.ParentKey(o.Parent)); parent != nil {
			from = parent
		}
	}
	if from.Partition == to.Partition {
		return nil
	}
	return mcpError(http.StatusBadRequest, "01070726", "%s %s in partition %s cannot reference %s %s in partition %s",
		from.Kind.Noun, from.Path, from.Partition, to.Kind.Noun, to.Path, to.Partition)
}

func (tx *Tx) nounOf(group string) string {
	if k, ok := tx.s.kinds[group]; ok {
		return k.Noun
	}
	switch group {
	case "ltm/profile/":
		return "profile"
	case "ltm/monitor/":
		return "monitor"
	case "ltm/persistence/":
		return "persistence profile"
	}
	return strings.Trim(group, "/")
}

// checkGone refuses the deletion of what is still named.
func (tx *Tx) checkGone(k Key) error {
	kind := tx.s.mustKind(k.Kind)
	if _, replaced := tx.s.find(kind.Group, k.Path); kind.Group != "" && replaced {
		return nil
	}
	users := tx.s.referrersOf(k)
	if len(users) == 0 {
		return nil
	}
	by := tx.get(users[0])
	if by == nil {
		return nil
	}
	return inUse(kind, k.Path, by)
}

// inUse words the refusal as devices do for nodes, monitors and SNAT pools
// (F5 error codes 01070110, 01070083, 01070320) and for pools and all others
// (01070265).
func inUse(kind *Kind, path string, by *Object) error {
	owner, noun := by.Path, by.Kind.Noun
	if by.Kind.parent != nil {
		owner, noun = by.Parent, by.Kind.parent.Noun
	}
	switch {
	case kind.Path == nodeKind:
		return mcpError(http.StatusBadRequest, "01070110", "Node address '%s' is referenced by a member of pool '%s'.", path, owner)
	case kind.Group == "ltm/monitor/":
		return mcpError(http.StatusBadRequest, "01070083", "Monitor %s is in use.", path)
	case kind.Path == "ltm/snatpool":
		return mcpError(http.StatusBadRequest, "01070320", "Snatpool %s is still referenced by a %s.", path, strings.ToLower(noun))
	}
	return mcpError(http.StatusBadRequest, "01070265", "The %s (%s) cannot be deleted because it is in use by a %s (%s).", kind.Noun, path, noun, owner)
}
