package mcp

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// applySubs makes the inlined subcollections of a body exactly what it lists:
// items not listed go, others are made or changed. A kept item keeps the
// properties that the list does not give.
func (in *input) applySubs(tx *Tx, o *Object) error {
	for _, sub := range in.kind.Subs {
		v, ok := in.body[sub.Collection]
		if !ok {
			continue
		}
		if err := tx.replaceItems(sub, o, v); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) replaceItems(sub *Kind, o *Object, v any) error {
	list, err := itemBodies(sub, v)
	if err != nil {
		return err
	}
	keep := make(map[Key]map[string]any)
	create := make(map[Key]*input)
	var order []Key
	for _, body := range list {
		in, err := tx.newInput(sub, o.ItemsParent(), body)
		if err != nil {
			return err
		}
		if sub.prepare != nil {
			if err := sub.prepare(tx, in); err != nil {
				return err
			}
		}
		item, err := in.object(tx)
		if err != nil {
			return err
		}
		k := item.Key()
		if _, twice := keep[k]; twice {
			return alreadyExists(sub, item)
		}
		keep[k] = in.body
		if tx.get(k) == nil {
			create[k] = in
			order = append(order, k)
		}
	}
	if err := tx.dropOthers(sub, o.Key(), keep); err != nil {
		return err
	}
	for _, k := range order {
		if _, err := tx.build(create[k]); err != nil {
			return err
		}
		delete(keep, k)
	}
	for _, k := range slices.SortedFunc(maps.Keys(keep), compareKeys) {
		if _, err := tx.change(k, keep[k], false); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) dropOthers(sub *Kind, parent Key, keep map[Key]map[string]any) error {
	for _, item := range tx.items(parent) {
		if _, ok := keep[item.Key()]; ok || item.Kind != sub {
			continue
		}
		if err := tx.drop(item); err != nil {
			return err
		}
	}
	return nil
}

// itemBodies reads an inlined list: names, or objects.
func itemBodies(sub *Kind, v any) ([]map[string]any, error) {
	if s, ok := v.(string); ok {
		if s == "" || s == "none" {
			return nil, nil
		}
		var list []any
		for f := range strings.FieldsSeq(s) {
			list = append(list, f)
		}
		v = list
	}
	if m, ok := v.(map[string]any); ok {
		v = m["items"]
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, invalidValue(sub.Collection, v)
	}
	out := make([]map[string]any, 0, len(list))
	for _, e := range list {
		switch t := e.(type) {
		case string:
			out = append(out, map[string]any{"name": t})
		case map[string]any:
			out = append(out, t)
		default:
			return nil, &Error{Status: http.StatusBadRequest, Message: "Found invalid JSON body in the request.", APIError: FromREST}
		}
	}
	return out, nil
}
