package mcp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Naming says how objects of a kind are named.
type Naming int

const (
	// InFolder is "/partition/folders/name"; most kinds.
	InFolder Naming = iota
	// Plain is the name alone, without a partition: partitions, users.
	Plain
	// Tree is a name that is itself a path: folders.
	Tree
	// Singleton is one object without a name: global settings.
	Singleton
)

// Kind is the schema of one kind of object.
type Kind struct {
	Path   string // "ltm/pool"; of a subcollection set when registered
	Noun   string // in messages: "Pool"
	Naming Naming
	// Group is the name space that kinds share, ending in a slash:
	// "ltm/profile/". Two profiles of different types cannot have one name.
	Group string
	// Base reports that objects keep one generation for life, as monitors
	// and partitions do on a device.
	Base bool
	// ReadOnly refuses creation and deletion through the API.
	ReadOnly bool
	// Open takes properties that the table does not list, as they come: for
	// kinds whose properties are too many and of no effect here.
	Open bool

	Props []Prop
	// Subs are the subcollections; each is inlined at writing by its
	// Collection's name ("members": [...]).
	Subs       []*Kind
	Collection string // for a sub: "members"

	parent *Kind
	index  map[string]*Prop

	// prepare turns the body of a creation into name and properties where
	// that is more than the table says (a member's node, a destination).
	prepare func(tx *Tx, in *input) error
	// settle completes or checks an object after each change, within the
	// transaction. old is nil at creation.
	settle func(tx *Tx, o, old *Object) error
	// after does what can be done only when the object and its items stand.
	after func(tx *Tx, o, old *Object) error
	// gone does what a deletion entails.
	gone func(tx *Tx, o *Object) error
	// final checks an object that was touched, or whose items were, when the
	// transaction ends.
	final func(tx *Tx, o *Object) error
	// frozen refuses changes to an object and its items.
	frozen func(o *Object) error
	// refs adds references that the table does not show.
	refs func(o *Object) []target
}

// Parent returns the kind that this is a subcollection of, or nil.
func (k *Kind) Parent() *Kind { return k.parent }

// Sub returns a subcollection by its name.
func (k *Kind) Sub(collection string) (*Kind, bool) {
	for _, s := range k.Subs {
		if s.Collection == collection {
			return s, true
		}
	}
	return nil, false
}

// Prop returns a property by its name.
func (k *Kind) Prop(name string) (*Prop, bool) {
	p, ok := k.index[name]
	return p, ok
}

// TypeName returns the middle of the kind string: "tm:ltm:pool:pool".
func (k *Kind) TypeName() string {
	last := k.Path[strings.LastIndex(k.Path, "/")+1:]
	return "tm:" + strings.ReplaceAll(k.Path, "/", ":") + ":" + last
}

// nesting separates the names of a parent that is itself an item: a policy and
// its rule, for the actions of that rule.
const nesting = "\x1f"

// ParentKey returns the key of the object that items with this Parent belong
// to.
func (k *Kind) ParentKey(parent string) Key {
	if i := strings.LastIndex(parent, nesting); i >= 0 {
		return Key{Kind: k.parent.Path, Parent: parent[:i], Path: parent[i+1:]}
	}
	return Key{Kind: k.parent.Path, Path: parent}
}

// URI is the path below /mgmt/tm of an object, or with an empty path of the
// collection that it would lie in.
func (k *Kind) URI(parent, path string) string {
	base := k.Path
	if k.parent != nil {
		up := k.ParentKey(parent)
		base = k.parent.URI(up.Parent, up.Path) + "/" + k.Collection
	}
	if path == "" {
		return base
	}
	return base + "/" + URLName(path)
}

// Type is the type of a property's values.
type Type int

// The types that iControl REST uses in its answers.
const (
	String  Type = iota
	Integer      // JSON number
	Flag         // shown as true, or not at all
	Bool         // JSON true or false
	List         // list of strings
	Any          // any JSON value, kept as written
	Ref          // full path of another object
	RefList      // list of full paths
)

// Prop is one property of a kind.
type Prop struct {
	Name    string
	Type    Type
	Default any      // nil: absent unless set
	Enum    []string // the values allowed, if any
	Min     int64    // of an Integer
	Max     int64
	Target  string // of a Ref: the kind or group it names

	ReadOnly bool // ignored when written
	Create   bool // can be given at creation only
	Required bool // must be given at creation
	Link     bool // a Ref that is shown with a "<name>Reference" beside it
	Secret   bool // never shown
	Sealed   bool // shown encrypted, as "$M$..."
	KeepNone bool // "none" is a value of its own, not the default
	Since    int  // TMOS major version that brought it; 0: always there
	// Later are keys that later versions added to a Default of its own keys.
	Later []addition
}

// addition is what a TMOS major version added to the default of a property.
type addition struct {
	since int
	keys  map[string]any
}

// table parses the properties of a kind from lines of
//
//	name  type  default  flags...
//
// where type is str, int, int:MIN-MAX, enum:A,B, flag, bool, list, any,
// ref:KIND or refs:KIND, default is "-" for none, and flags are ro, create,
// required, link, secret, sealed, none, to:KIND for a string that is shown with
// a link but keeps nothing from being deleted, since:MAJOR, and since:MAJOR:{...} for
// keys that a default gained. A table that does not parse is a mistake in this
// package and panics.
func table(text string) []Prop {
	var out []Prop
	for line := range strings.Lines(text) {
		f := tableFields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) < 3 {
			panic(fmt.Sprintf("mcp: schema line %q: want name, type, default", line))
		}
		p := Prop{Name: f[0]}
		p.parseType(f[1])
		p.Default = p.parseDefault(f[2])
		for _, flag := range f[3:] {
			p.parseFlag(flag)
		}
		out = append(out, p)
	}
	return out
}

// tableFields splits a line at spaces, but not within a quoted default.
func tableFields(line string) []string {
	before, rest, quoted := strings.Cut(line, ` "`)
	if !quoted || len(strings.Fields(before)) != 2 {
		return strings.Fields(line)
	}
	i := strings.LastIndex(rest, `"`)
	return append(append(strings.Fields(before), `"`+rest[:i+1]), strings.Fields(rest[i+1:])...)
}

func (p *Prop) parseType(s string) {
	name, arg, _ := strings.Cut(s, ":")
	switch name {
	case "str":
		p.Type = String
	case "enum":
		p.Type, p.Enum = String, strings.Split(arg, ",")
	case "int":
		p.Type, p.Min, p.Max = Integer, 0, 1<<53
		if lo, hi, ok := strings.Cut(arg, "-"); ok {
			p.Min, p.Max = mustInt(lo), mustInt(hi)
		}
	case "flag":
		p.Type = Flag
	case "bool":
		p.Type = Bool
	case "list":
		p.Type = List
	case "any":
		p.Type = Any
	case "ref":
		p.Type, p.Target = Ref, arg
	case "refs":
		p.Type, p.Target = RefList, arg
	default:
		panic(fmt.Sprintf("mcp: schema of %s: type %q", p.Name, s))
	}
}

func (p *Prop) parseDefault(s string) any {
	if s == "-" {
		return nil
	}
	switch p.Type {
	case Integer:
		return mustInt(s)
	case Flag, Bool:
		return s == "true"
	case Any, List, RefList:
		v, err := DecodeJSON([]byte(s))
		if err != nil {
			panic(fmt.Sprintf("mcp: schema of %s: default %q: %v", p.Name, s, err))
		}
		return v
	}
	return strings.Trim(s, `"`)
}

func (p *Prop) parseFlag(s string) {
	switch s {
	case "ro":
		p.ReadOnly = true
	case "create":
		p.Create = true
	case "required":
		p.Required = true
	case "link":
		p.Link = true
	case "secret":
		p.Secret = true
	case "sealed":
		p.Sealed = true
	case "none":
		p.KeepNone = true
	default:
		if to, ok := strings.CutPrefix(s, "to:"); ok {
			p.Link, p.Target = true, to
			return
		}
		n, ok := strings.CutPrefix(s, "since:")
		if !ok {
			panic(fmt.Sprintf("mcp: schema of %s: flag %q", p.Name, s))
		}
		p.parseSince(n)
	}
}

func (p *Prop) parseSince(s string) {
	major, keys, more := strings.Cut(s, ":")
	if !more {
		p.Since = int(mustInt(major))
		return
	}
	v, err := DecodeJSON([]byte(keys))
	m, ok := v.(map[string]any)
	if err != nil || !ok {
		panic(fmt.Sprintf("mcp: schema of %s: %q: %v", p.Name, keys, err))
	}
	p.Later = append(p.Later, addition{int(mustInt(major)), m})
}

func mustInt(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("mcp: schema: %v", err))
	}
	return n
}

// finish drops what the version lacks and builds the lookups of a kind and
// its subcollections.
func (k *Kind) finish(version string) {
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil {
		k.Props = slices.DeleteFunc(k.Props, func(p Prop) bool { return p.Since > n })
		for i := range k.Props {
			k.Props[i].grow(n)
		}
	}
	k.index = make(map[string]*Prop, len(k.Props))
	for i := range k.Props {
		k.index[k.Props[i].Name] = &k.Props[i]
	}
	for _, s := range k.Subs {
		s.finish(version)
	}
}

// grow adds to the default what came up to a version.
func (p *Prop) grow(major int) {
	for _, a := range p.Later {
		if m, ok := p.Default.(map[string]any); ok && a.since <= major {
			maps.Copy(m, a.keys)
		}
	}
}

// DecodeJSON decodes a JSON value with integers as int64, as properties hold
// them.
func DecodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return Normalize(v), nil
}

// Normalize turns JSON numbers, at any depth, into int64, or float64 where
// they are no integers.
func Normalize(v any) any {
	switch t := v.(type) {
	case json.Number:
		if n, err := t.Int64(); err == nil {
			return n
		}
		f, err := t.Float64()
		if err != nil {
			return t.String()
		}
		return f
	case int:
		return int64(t)
	case float64:
		if t == float64(int64(t)) {
			return int64(t)
		}
		return t
	case []any:
		for i := range t {
			t[i] = Normalize(t[i])
		}
		return t
	case []string:
		out := make([]any, len(t))
		for i := range t {
			out[i] = t[i]
		}
		return out
	case map[string]any:
		for k := range t {
			t[k] = Normalize(t[k])
		}
		return t
	}
	return v
}
