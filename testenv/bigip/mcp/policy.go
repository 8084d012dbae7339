package mcp

import (
	"net/http"
	"strings"
	"time"
)

const policyPath = "ltm/policy"

// policyKind: a policy has rules, and these have conditions and actions. What
// conditions and actions say is stored as it comes; policies are not run.
// Since TMOS 12.1 a policy is written as a draft, in a folder Drafts, and takes
// effect when it is published (F5 K04597703; f5-common-python #668, #1098).
func policyKind() *Kind {
	return &Kind{
		Path: policyPath, Noun: "policy",
		Props: table(`
			appService     str   -
			controls       list  -
			description    str   -
			draftCopy      str   -  ro to:ltm/policy
			lastModified   str   -  ro
			legacy         flag  -
			metadata       any   -
			publishedCopy  str   -  ro to:ltm/policy
			references     any   {}  ro since:15
			requires       list  -
			status         str   -  ro
			strategy       ref:ltm/policy-strategy  /Common/first-match  link
		`),
		Subs: []*Kind{{
			Collection: "rules", Noun: "policy rule", Naming: Plain,
			Props: table(`
				appService   str  -
				description  str  -
				ordinal      int  0
			`),
			Subs: []*Kind{
				{
					Collection: "actions", Noun: "policy action", Naming: Plain, Open: true,
					Props: table(`
						code        int  0
						expirySecs  int  0
						length      int  0
						offset      int  0
						pool        ref:ltm/pool  -  link
						port        int  0
						status      int  0
						timeout     int  0
						vlanId      int  0
					`),
				},
				{
					Collection: "conditions", Noun: "policy condition", Naming: Plain, Open: true,
					Props: table(`
						index  int  0
					`),
				},
			},
		}},
		prepare: preparePolicy,
		settle:  settlePolicy,
		gone:    dropPolicy,
		frozen:  publishedOnly,
	}
}

// draftOf returns the place of a policy's draft, publishedOf that of a draft's
// published policy; "" where the path is not of that sort.
func draftOf(path string) string {
	dir, name := folderOf(path)
	if strings.HasSuffix(dir, "/Drafts") {
		return ""
	}
	return dir + "/Drafts/" + name
}

func publishedOf(path string) string {
	dir, name := folderOf(path)
	up, ok := strings.CutSuffix(dir, "/Drafts")
	if !ok {
		return ""
	}
	return up + "/" + name
}

func directly(path string) error {
	return mcpError(http.StatusBadRequest, "01071abb",
		"Cannot create/modify published policy '%s' directly, try specifying a draft folder like '%s'.", path, draftOf(path))
}

// preparePolicy lets a new policy be made only as a draft of none that is
// published, or as a legacy one.
func preparePolicy(tx *Tx, in *input) error {
	path := joinPath(in.partition, in.subPath, in.name)
	published := publishedOf(path)
	switch {
	case published == "" && in.body["legacy"] == true:
		return nil
	case published == "":
		return directly(path)
	case tx.get(Key{Kind: policyPath, Path: published}) != nil:
		return mcpError(http.StatusBadRequest, "01070734", "Configuration error: Published policy %q exists, use create-draft to create a draft copy .", published)
	}
	return tx.draftFolder(path)
}

// draftFolder makes the folder Drafts where it is not there yet.
func (tx *Tx) draftFolder(draft string) error {
	dir, _ := folderOf(draft)
	up, _ := folderOf(dir)
	if tx.folder(dir) || !tx.folder(up) {
		return nil
	}
	_, err := tx.Create(folderKind, "", map[string]any{"name": dir})
	return err
}

func settlePolicy(tx *Tx, o, old *Object) error {
	o.Props["lastModified"] = tx.s.opts.Clock().UTC().Format(time.RFC3339)
	if old == nil {
		o.Props["status"] = "draft"
		if publishedOf(o.Path) == "" {
			o.Props["status"] = "legacy"
		}
	}
	return nil
}

// publishedOnly refuses changes to a published policy and its rules.
func publishedOnly(o *Object) error {
	if o.Str("status") == "published" {
		return directly(o.Path)
	}
	return nil
}

// dropPolicy has the other copy of a deleted policy forget it.
func dropPolicy(tx *Tx, o *Object) error {
	for _, p := range []struct{ path, prop string }{{o.Str("publishedCopy"), "draftCopy"}, {o.Str("draftCopy"), "publishedCopy"}} {
		if other := tx.get(Key{Kind: policyPath, Path: p.path}); other != nil {
			c := other.clone()
			delete(c.Props, p.prop)
			tx.put(c)
		}
	}
	return nil
}

// CreateDraft makes an editable copy of a published policy in its folder
// Drafts.
func (tx *Tx) CreateDraft(k Key) (*Object, error) {
	o := tx.get(k)
	if o == nil {
		return nil, NotFound(tx.s.mustKind(k.Kind), k.Parent, k.Path, false)
	}
	draft := draftOf(o.Path)
	if k.Kind != policyPath || draft == "" {
		return nil, mcpError(http.StatusBadRequest, "01070734", "Configuration error: %s is not a published policy.", o.Path)
	}
	if have := tx.get(Key{Kind: policyPath, Path: draft}); have != nil {
		return nil, alreadyExists(o.Kind, have)
	}
	if err := tx.draftFolder(draft); err != nil {
		return nil, err
	}
	d := tx.copyPolicy(o, draft, map[string]any{"status": "draft", "publishedCopy": o.Path, "draftCopy": nil})
	c := o.clone()
	c.Props["draftCopy"] = draft
	tx.put(c)
	return d, nil
}

// Publish puts a draft in the place of the policy that it is a draft of, and
// removes the draft.
func (tx *Tx) Publish(draft string) error {
	o := tx.get(Key{Kind: policyPath, Path: draft})
	if o == nil {
		return notFound("policy", draft)
	}
	to := publishedOf(draft)
	if to == "" {
		return mcpError(http.StatusBadRequest, "01070734", "Configuration error: %s is not a draft.", draft)
	}
	for _, c := range tx.items(Key{Kind: policyPath, Path: to}) {
		if err := tx.drop(c); err != nil {
			return err
		}
	}
	tx.copyPolicy(o, to, map[string]any{"status": "published", "publishedCopy": nil, "draftCopy": nil})
	return tx.drop(o)
}

// copyPolicy stores a policy and what lies below it under another path, with
// some properties changed.
func (tx *Tx) copyPolicy(o *Object, to string, props map[string]any) *Object {
	c := o.clone()
	c.Path = to
	c.Partition, c.SubPath, c.Name = splitPath(to)
	for name, v := range props {
		if v == nil {
			delete(c.Props, name)
			continue
		}
		c.Props[name] = v
	}
	tx.put(c)
	tx.copyItems(o, c)
	return c
}

func (tx *Tx) copyItems(from, to *Object) {
	for _, it := range tx.items(from.Key()) {
		c := it.clone()
		c.Parent = to.ItemsParent()
		tx.put(c)
		tx.copyItems(it, c)
	}
}
