package mcp

import "slices"

// allKinds is the whole schema.
func allKinds(o Options) []*Kind {
	kinds := slices.Concat(
		folderKinds(), poolKinds(), virtualKinds(), monitorKinds(), otherMonitorKinds(), profileKinds(), sslProfileKinds(), otherProfileKinds(),
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
		settle:  settleMonitor,
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

// settleMonitor keeps the interval of a monitor below its timeout, as TMOS 13
// and later do without a word: an interval of 30 s with a timeout of 10 s
// becomes 9 s (f5-cccl #207, k8s-bigip-ctlr #2278 on 15.1.5).
func settleMonitor(_ *Tx, o, _ *Object) error {
	interval, timeout := o.Int("interval"), o.Int("timeout")
	if timeout > 0 && timeout <= interval {
		o.Props["interval"] = max(1, timeout-1)
	}
	return nil
}
