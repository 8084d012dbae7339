package mcp

import "slices"

// allKinds is the whole schema.
func allKinds(o Options) []*Kind {
	kinds := slices.Concat(
		folderKinds(), poolKinds(), virtualKinds(), monitorKinds(), profileKinds(),
		persistenceKinds(), trafficKinds(), netKinds(), cmKinds(o), sysKinds(o),
	)
	for _, k := range kinds {
		k.finish(o.Version)
	}
	return kinds
}

func monitorKind(name, base, props string) *Kind {
	return &Kind{
		Path: "ltm/monitor/" + name, Noun: "monitor", Group: "ltm/monitor/", Base: true,
		Props:   withParent(table(props), "ltm/monitor/"+name, "/Common/"+base, false),
		prepare: inherit("/Common/" + base),
		settle:  checkMonitor,
	}
}

func profileKind(name, base, props string) *Kind {
	return &Kind{
		Path: "ltm/profile/" + name, Noun: "profile", Group: "ltm/profile/",
		Props:   withParent(table(props), "ltm/profile/"+name, "/Common/"+base, true),
		prepare: inherit("/Common/" + base),
	}
}

func persistenceKind(name, base, props string) *Kind {
	return &Kind{
		Path: "ltm/persistence/" + name, Noun: "persistence profile", Group: "ltm/persistence/",
		Props:   withParent(table(props), "ltm/persistence/"+name, "/Common/"+base, true),
		prepare: inherit("/Common/" + base),
	}
}

// withParent adds defaultsFrom: fixed at creation, and shown with a link for
// profiles but not for monitors (captured).
func withParent(props []Prop, kind, base string, link bool) []Prop {
	return append(props, Prop{Name: "defaultsFrom", Type: Ref, Target: kind, Default: base, Create: true, Link: link})
}

// inherit gives a new profile or monitor the values of its parent for all that
// its body does not set.
func inherit(base string) func(*Tx, *input) error {
	return func(tx *Tx, in *input) error {
		path, _ := in.body["defaultsFrom"].(string)
		if path == "" || path == "none" {
			path = base
		}
		o := &Object{Kind: in.kind, Partition: in.partition, Path: joinPath(in.partition, in.subPath, in.name)}
		path = tx.resolve(in.kind.Path, path, o)
		in.body["defaultsFrom"] = path
		parent := tx.get(Key{Kind: in.kind.Path, Path: path})
		if parent == nil {
			return notFound(in.kind.Noun, path)
		}
		for name, v := range parent.Props {
			if _, given := in.body[name]; given || name == "defaultsFrom" || name == "description" || name == "metadata" {
				continue
			}
			in.body[name] = v
		}
		return nil
	}
}

// checkMonitor: the timeout of a monitor must be longer than its interval.
func checkMonitor(_ *Tx, o, _ *Object) error {
	interval, timeout := o.Int("interval"), o.Int("timeout")
	if timeout > 0 && timeout <= interval {
		return mcpError(400, "01070734", "Configuration error: monitor %s: timeout (%d) must be greater than interval (%d).", o.Path, timeout, interval)
	}
	return nil
}
