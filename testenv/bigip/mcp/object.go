package mcp

import (
	"maps"
	"net/url"
	"strings"
)

// Object is one object of the configuration at one commit. It is immutable
// once committed.
type Object struct {
	Kind       *Kind
	Parent     string // full path of the parent, for items of subcollections
	Name       string // "10.0.0.1:80"
	Partition  string // "" where the kind has none
	SubPath    string // folders between partition and name: "a/b"
	Path       string // full path: "/web/a/b/10.0.0.1:80"
	Generation int64
	Stock      bool // came with the device: cannot be deleted

	// Props holds the properties that are set or have a default, as JSON
	// values: string, int64, bool, []any, map[string]any.
	Props map[string]any
}

// Key returns the name of the object.
func (o *Object) Key() Key {
	return Key{Kind: o.Kind.Path, Parent: o.Parent, Path: o.Path}
}

// Str returns a string property, or "".
func (o *Object) Str(name string) string {
	v, _ := o.Props[name].(string)
	return v
}

// Int returns an integer property, or 0.
func (o *Object) Int(name string) int64 {
	v, _ := o.Props[name].(int64)
	return v
}

// Flag reports whether a presence property, such as enabled, is true.
func (o *Object) Flag(name string) bool {
	v, _ := o.Props[name].(bool)
	return v
}

// Strings returns a list property.
func (o *Object) Strings(name string) []string {
	list, _ := o.Props[name].([]any)
	out := make([]string, 0, len(list))
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// Map returns an object property, such as sourceAddressTranslation.
func (o *Object) Map(name string) map[string]any {
	m, _ := o.Props[name].(map[string]any)
	return m
}

// Folder returns the path of the folder that the object lies in.
func (o *Object) Folder() string {
	if i := strings.LastIndex(o.Path, "/"); i > 0 {
		return o.Path[:i]
	}
	return "/"
}

func (o *Object) clone() *Object {
	c := *o
	c.Props = maps.Clone(o.Props)
	return &c
}

// URLName writes a full path as iControl REST does in a URL: slashes as
// tildes, the rest escaped, "%" of a route domain as "%25".
func URLName(path string) string {
	return strings.ReplaceAll(url.PathEscape(path), "%2F", "~")
}

// URI returns the path of the object below /mgmt/tm, as selfLink shows it.
func (o *Object) URI() string { return o.Kind.URI(o.Parent, o.Path) }

// ItemsParent is what the items of the object have as their Parent.
func (o *Object) ItemsParent() string {
	if o.Parent == "" {
		return o.Path
	}
	return o.Parent + nesting + o.Path
}
