package mcp

import (
	"maps"
	"slices"
	"strings"
)

// input is the body of one write, taken apart.
type input struct {
	kind   *Kind
	parent string
	body   map[string]any

	partition, subPath, name string
}

// meta are the keys that every answer carries and that are ignored when they
// come back in a write.
func isMeta(key string) bool {
	switch key {
	case "kind", "name", "partition", "subPath", "fullPath", "generation", "selfLink", "tmPartition":
		return true
	}
	return strings.HasSuffix(key, "Reference")
}

// newInput finds out the name that a creation gives.
func (tx *Tx) newInput(k *Kind, parent string, body map[string]any) (*input, error) {
	in := &input{kind: k, parent: parent, body: maps.Clone(body)}
	name, _ := body["name"].(string)
	if name == "" {
		return nil, tmshError("one or more properties must be specified")
	}
	if strings.ContainsAny(name, "<>") {
		return nil, tmshError("HTML Tag-like Content in the Request URL/Body")
	}
	partition, _ := body["partition"].(string)
	subPath, _ := body["subPath"].(string)
	switch {
	case k.Naming == Plain:
		in.name = name
	case k.Naming == Tree:
		in.name = folderName(name, partition, subPath)
	case strings.HasPrefix(name, "/"):
		in.partition, in.subPath, in.name = splitPath(name)
	default:
		if partition == "" {
			partition = tx.defaultPartition(k, parent)
		}
		in.partition, in.subPath, in.name = partition, strings.Trim(subPath, "/"), name
		if i := strings.LastIndex(name, "/"); i >= 0 && k.parent == nil {
			in.subPath, in.name = strings.Trim(subPath+"/"+name[:i], "/"), name[i+1:]
		}
	}
	return in, nil
}

// defaultPartition is that of an object created without one: Common, and for
// items the partition of what they belong to.
func (tx *Tx) defaultPartition(k *Kind, parent string) string {
	if k.parent != nil {
		partition, _, _ := splitPath(parent)
		return partition
	}
	return "Common"
}

func folderName(name, partition, subPath string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	if partition == "" && subPath == "" {
		return "/" + name
	}
	return joinPath(partition, subPath, name)
}

func (tx *Tx) changeInput(old *Object, body map[string]any) (*input, error) {
	in := &input{kind: old.Kind, parent: old.Parent, body: maps.Clone(body)}
	in.partition, in.subPath, in.name = old.Partition, old.SubPath, old.Name
	n := 0
	for key := range body {
		if !isMeta(key) {
			n++
		}
	}
	if name, ok := body["name"].(string); ok && name == "" || len(body) == 0 {
		return nil, NothingToDo()
	}
	return in, nil
}

// object makes the empty object that the input names.
func (in *input) object(tx *Tx) (*Object, error) {
	o := &Object{Kind: in.kind, Parent: in.parent, Name: in.name, Partition: in.partition, SubPath: in.subPath, Props: make(map[string]any)}
	switch in.kind.Naming {
	case Plain:
		o.Path, o.Partition = in.name, ""
	case Tree:
		o.Path = in.name
		parent, _ := folderOf(in.name)
		if !tx.folder(parent) {
			return nil, folderMissing(parent)
		}
		setFolderName(o)
	default:
		o.Path = joinPath(in.partition, in.subPath, in.name)
		if in.kind.parent == nil && !tx.folder(o.Folder()) {
			return nil, folderMissing(o.Folder())
		}
	}
	for i := range in.kind.Props {
		if p := &in.kind.Props[i]; p.Default != nil {
			o.Props[p.Name] = p.Default
		}
	}
	return o, nil
}

func (tx *Tx) folder(path string) bool {
	return tx.get(Key{Kind: folderKind, Path: path}) != nil
}

// apply writes the properties of the body into the object.
func (in *input) apply(tx *Tx, o *Object, creating bool) error {
	for _, key := range slices.Sorted(maps.Keys(in.body)) {
		if isMeta(key) {
			continue
		}
		if _, ok := in.kind.Sub(key); ok {
			continue
		}
		p, ok := in.kind.Prop(key)
		if !ok && in.kind.Open {
			o.Props[key] = Normalize(in.body[key])
			continue
		}
		if !ok {
			return unknownProperty(key)
		}
		if p.ReadOnly {
			continue
		}
		if p.Create && !creating {
			if err := in.unchanged(o, p); err != nil {
				return err
			}
			continue
		}
		if err := in.set(tx, o, p, in.body[key]); err != nil {
			return err
		}
	}
	return nil
}

// unchanged refuses a new value for a property that only a creation can set; an
// unchanged one, as clients send that read before they write, is ignored.
func (in *input) unchanged(o *Object, p *Prop) error {
	v, err := p.Read(in.body[p.Name])
	if err != nil {
		return err
	}
	if v == nil || v == o.Props[p.Name] {
		return nil
	}
	if s, ok := v.(string); ok && strings.HasSuffix(o.Str(p.Name), "/"+s) {
		return nil
	}
	name := tmshName(p.Name) // captured for the network of a route (f5-ansible bigip_static_route)
	return tmshError("%q may not be specified in the context of the %q command. %q may be specified using the following commands: create, list, show", name, "modify", name)
}

func (in *input) set(tx *Tx, o *Object, p *Prop, v any) error {
	val, err := p.Read(v)
	if err != nil {
		return err
	}
	if p.Type == Flag {
		setFlag(o, p, val == true)
		return nil
	}
	if s, ok := val.(string); ok && p.Sealed && s == Seal(o.Str(p.Name)) {
		return nil // what was read comes back
	}
	switch t := val.(type) {
	case map[string]any:
		def, _ := p.Default.(map[string]any)
		val = merged(o.Map(p.Name), t, def)
	case string:
		if p.Type == Ref && t != "none" { // "none" names nothing, also where it is a parent's
			val = tx.resolve(p.Target, t, o)
		}
	case []any:
		if p.Type == RefList {
			val = tx.resolveAll(p.Target, t, o)
		}
	}
	if p.Name == "metadata" {
		val = readMetadata(val)
	}
	if val == nil {
		delete(o.Props, p.Name)
		return nil
	}
	o.Props[p.Name] = val
	return nil
}

// merged lays new keys of an object property over the ones it has; "none"
// takes a key away unless the property has it by default.
func merged(old, with, def map[string]any) map[string]any {
	out := make(map[string]any, len(old)+len(with))
	maps.Copy(out, old)
	for k, v := range with {
		if strings.HasSuffix(k, "Reference") {
			continue
		}
		if s, ok := v.(string); ok && (s == "" || s == "none") && def[k] == nil {
			delete(out, k)
			continue
		}
		out[k] = v
	}
	return out
}

// opposite names the flag that excludes another.
func opposite(name string) string {
	switch name {
	case "enabled":
		return "disabled"
	case "disabled":
		return "enabled"
	case "vlansEnabled":
		return "vlansDisabled"
	case "vlansDisabled":
		return "vlansEnabled"
	}
	return ""
}

func setFlag(o *Object, p *Prop, on bool) {
	other := opposite(p.Name)
	if on {
		o.Props[p.Name] = true
		delete(o.Props, other)
		return
	}
	delete(o.Props, p.Name)
	if other != "" {
		o.Props[other] = true
	}
}

// readMetadata completes entries: persist defaults to "true".
func readMetadata(v any) any {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		entry := map[string]any{"name": m["name"], "persist": "true", "value": ""}
		maps.Copy(entry, m)
		out = append(out, entry)
	}
	return out
}

// resolve makes a reference absolute: relative names are looked for in the
// folder of the object, then in /Common, as tmsh does.
func (tx *Tx) resolve(group, path string, o *Object) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	if o.Partition == "" {
		return Absolute(path, "/Common")
	}
	near := Absolute(path, o.Folder())
	if _, ok := tx.s.find(group, near); ok {
		return near
	}
	for _, far := range []string{Absolute(path, "/"+o.Partition), Absolute(path, "/Common")} {
		if _, ok := tx.s.find(group, far); ok {
			return far
		}
	}
	return near
}

func (tx *Tx) resolveAll(group string, paths []any, o *Object) []any {
	out := make([]any, 0, len(paths))
	for _, p := range paths {
		if s, ok := p.(string); ok {
			out = append(out, tx.resolve(group, s, o))
		}
	}
	return out
}
