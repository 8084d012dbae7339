package mcp

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
)

// errDryRun ends a validation-only update.
var errDryRun = errors.New("validated only")

// Tx is one transaction of the configuration, valid within the function that
// Update calls with it. Reads through it see its own changes.
type Tx struct {
	s       *Store
	undo    []change
	touched map[Key]bool
	index   int64 // vsIndex before the transaction
	idle    []Key // virtual addresses that may have lost their last user
}

type change struct {
	key Key
	old *Object // nil: did not exist
}

// Update runs f in a transaction and commits it: references are checked, all
// changed objects get one new generation, watchers are told. When f or a
// check fails, nothing has changed.
func (s *Store) Update(f func(tx *Tx) error) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	changed, err := s.transact(f)
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		s.notify(changed)
	}
	return nil
}

// Validate runs f in a transaction, checks it as a commit would, and throws
// its changes away.
func (s *Store) Validate(f func(tx *Tx) error) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	_, err := s.transact(func(tx *Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		tx.release()
		if err := tx.check(); err != nil {
			return err
		}
		return errDryRun
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	return err
}

func (s *Store) transact(f func(tx *Tx) error) ([]Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := &Tx{s: s, touched: make(map[Key]bool), index: s.vsIndex}
	err := f(tx)
	if err == nil {
		tx.release()
		err = tx.check()
	}
	if err != nil {
		tx.rollback()
		return nil, err
	}
	return tx.finish(), nil
}

// finish stamps what changed with the generation of this commit.
func (tx *Tx) finish() []Key {
	if len(tx.touched) == 0 {
		return nil
	}
	tx.s.generation++
	changed := make([]Key, 0, len(tx.touched))
	for k := range tx.touched {
		changed = append(changed, k)
		if o := tx.get(k); o != nil {
			if !o.Kind.Base {
				o.Generation = tx.s.generation
			}
		} else {
			delete(tx.s.statuses, k)
		}
	}
	slices.SortFunc(changed, compareKeys)
	return changed
}

func (tx *Tx) rollback() {
	tx.s.vsIndex = tx.index
	for _, c := range slices.Backward(tx.undo) {
		if cur := tx.get(c.key); cur != nil {
			tx.s.unlink(cur)
		}
		if c.old != nil {
			tx.s.link(c.old)
		}
	}
}

func (tx *Tx) get(k Key) *Object { return tx.s.objects[k.Kind][k] }

// Get returns an object as the transaction sees it.
func (tx *Tx) Get(k Key) (*Object, bool) {
	o := tx.get(k)
	return o, o != nil
}

// put stores an object, which must not be changed by the caller afterwards
// other than through the transaction.
func (tx *Tx) put(o *Object) {
	k := o.Key()
	old := tx.get(k)
	tx.undo = append(tx.undo, change{k, old})
	tx.touched[k] = true
	if old != nil {
		tx.s.unlink(old)
	}
	tx.s.link(o)
}

func (tx *Tx) remove(o *Object) {
	k := o.Key()
	tx.undo = append(tx.undo, change{k, o})
	tx.touched[k] = true
	tx.s.unlink(o)
}

// touch gives the parent of a changed item the generation of the change.
func (tx *Tx) touch(k Key) {
	if o := tx.get(k); o != nil && !tx.touched[k] {
		tx.put(o.clone())
	}
}

// Create makes an object from the body of a POST. parent is the full path of
// the parent for items of subcollections.
func (tx *Tx) Create(kind, parent string, body map[string]any) (*Object, error) {
	k := tx.s.mustKind(kind)
	if k.ReadOnly || k.Naming == Singleton {
		return nil, restError(http.StatusBadRequest, "POST is not supported for %s", k.Path)
	}
	if k.parent != nil && tx.get(k.ParentKey(parent)) == nil {
		return nil, missingParent(k, parent)
	}
	if err := tx.thawed(k, parent); err != nil {
		return nil, err
	}
	in, err := tx.newInput(k, parent, body)
	if err != nil {
		return nil, err
	}
	if k.prepare != nil {
		if err := k.prepare(tx, in); err != nil {
			return nil, err
		}
	}
	return tx.build(in)
}

// missingParent: captured with a lower-case noun for members of a missing
// pool.
func missingParent(k *Kind, parent string) error {
	if k.Path == memberKind {
		return notFound("pool", parent)
	}
	return notFound(k.parent.Noun, parent)
}

func (tx *Tx) build(in *input) (*Object, error) {
	o, err := in.object(tx)
	if err != nil {
		return nil, err
	}
	if tx.get(o.Key()) != nil || tx.taken(o) {
		return nil, alreadyExists(o.Kind, o)
	}
	if err := in.apply(tx, o, true); err != nil {
		return nil, err
	}
	if err := requireAll(o); err != nil {
		return nil, err
	}
	return o, tx.store(o, nil, in)
}

func (tx *Tx) taken(o *Object) bool {
	if o.Kind.Group == "" {
		return false
	}
	return tx.s.shared[o.Kind.Group][o.Path] != nil
}

func requireAll(o *Object) error {
	for _, p := range o.Kind.Props {
		if p.Required && o.Props[p.Name] == nil {
			return tmshError("%q must be specified", tmshName(p.Name))
		}
	}
	return nil
}

// store settles and stores an object and its inlined items.
func (tx *Tx) store(o, old *Object, in *input) error {
	if o.Kind.settle != nil {
		if err := o.Kind.settle(tx, o, old); err != nil {
			return err
		}
	}
	if old == nil || !sameProps(o, old) {
		tx.put(o)
		if o.Kind.parent != nil {
			tx.touch(o.Kind.ParentKey(o.Parent))
		}
	}
	if err := in.applySubs(tx, o); err != nil {
		return err
	}
	if o.Kind.after != nil {
		return o.Kind.after(tx, o, old)
	}
	return nil
}

func sameProps(a, b *Object) bool { return reflect.DeepEqual(a.Props, b.Props) }

// Modify changes the properties that a PATCH gives and keeps all others.
func (tx *Tx) Modify(k Key, body map[string]any) (*Object, error) {
	return tx.change(k, body, false)
}

// Replace is a PUT: properties that the body does not give go back to their
// defaults.
func (tx *Tx) Replace(k Key, body map[string]any) (*Object, error) {
	return tx.change(k, body, true)
}

func (tx *Tx) change(k Key, body map[string]any, reset bool) (*Object, error) {
	old := tx.get(k)
	if old == nil {
		return nil, NotFound(tx.s.mustKind(k.Kind), k.Parent, k.Path, false)
	}
	if err := tx.thawed(old.Kind, old.Parent); err != nil {
		return nil, err
	}
	if old.Kind.frozen != nil {
		if err := old.Kind.frozen(old); err != nil {
			return nil, err
		}
	}
	in, err := tx.changeInput(old, body)
	if err != nil {
		return nil, err
	}
	o := old.clone()
	if reset {
		resetProps(o)
	}
	if err := in.apply(tx, o, false); err != nil {
		return nil, err
	}
	return o, tx.store(o, old, in)
}

// resetProps puts all that can be written back to its default.
func resetProps(o *Object) {
	for i := range o.Kind.Props {
		p := &o.Kind.Props[i]
		if p.ReadOnly || p.Create || p.Required {
			continue
		}
		if p.Default == nil {
			delete(o.Props, p.Name)
		} else {
			o.Props[p.Name] = p.Default
		}
	}
}

// Delete removes an object and its items.
func (tx *Tx) Delete(k Key) error {
	o := tx.get(k)
	if o == nil {
		return NotFound(tx.s.mustKind(k.Kind), k.Parent, k.Path, false)
	}
	if o.Stock || o.Kind.ReadOnly || o.Kind.Naming == Singleton {
		return mcpError(http.StatusBadRequest, "01070734", "Configuration error: %s (%s) is predefined and cannot be deleted.", o.Kind.Noun, o.Path)
	}
	if err := tx.thawed(o.Kind, o.Parent); err != nil {
		return err
	}
	return tx.drop(o)
}

// thawed refuses to touch an item of an object that is frozen.
func (tx *Tx) thawed(k *Kind, parent string) error {
	for ; k.parent != nil; k = k.parent {
		up := k.ParentKey(parent)
		if o := tx.get(up); o != nil && o.Kind.frozen != nil {
			if err := o.Kind.frozen(o); err != nil {
				return err
			}
		}
		parent = up.Parent
	}
	return nil
}

func (tx *Tx) drop(o *Object) error {
	for _, c := range tx.items(o.Key()) {
		if err := tx.drop(c); err != nil {
			return err
		}
	}
	tx.remove(o)
	if o.Kind.parent != nil {
		tx.touch(o.Kind.ParentKey(o.Parent))
	}
	if o.Kind.gone != nil {
		return o.Kind.gone(tx, o)
	}
	return nil
}

func (tx *Tx) items(parent Key) []*Object {
	out := make([]*Object, 0, len(tx.s.children[parent]))
	for _, c := range tx.s.children[parent] {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *Object) int { return compareKeys(a.Key(), b.Key()) })
	return out
}
