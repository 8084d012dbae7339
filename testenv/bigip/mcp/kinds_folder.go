package mcp

import (
	"net/http"
	"strings"
)

const (
	partitionKind = "auth/partition"
	folderKind    = "sys/folder"
)

func folderKinds() []*Kind {
	return []*Kind{
		{
			Path: partitionKind, Noun: "Partition", Naming: Plain, Base: true,
			Props: table(`
				defaultRouteDomain  int:0-65534  0
				description         str          -
			`),
			settle: settlePartition,
			gone:   dropPartition,
		},
		{
			Path: folderKind, Noun: "folder", Naming: Tree,
			Props: table(`
				deviceGroup             str              none
				description             str              -
				hidden                  enum:true,false  false
				inheritedDevicegroup    enum:true,false  true
				inheritedTrafficGroup   enum:true,false  true
				noRefCheck              enum:true,false  false
				trafficGroup            ref:cm/traffic-group  /Common/traffic-group-1  link
			`),
			gone: dropFolder,
		},
	}
}

// settlePartition makes the folder of a new partition, as a device does.
func settlePartition(tx *Tx, o, old *Object) error {
	if strings.ContainsAny(o.Name, "/ ") {
		return mcpError(http.StatusBadRequest, "01070734", "Configuration error: partition name (%s) contains an illegal character.", o.Name)
	}
	if old != nil || tx.folder("/"+o.Name) {
		return nil
	}
	f := &Object{Kind: tx.s.mustKind(folderKind), Path: "/" + o.Name, Props: make(map[string]any)}
	setFolderName(f)
	for i := range f.Kind.Props {
		if p := &f.Kind.Props[i]; p.Default != nil {
			f.Props[p.Name] = p.Default
		}
	}
	tx.put(f)
	return nil
}

// dropPartition refuses to delete a partition with objects in it (0107082a)
// and takes its folder along.
func dropPartition(tx *Tx, o *Object) error {
	if what, ok := tx.firstBelow("/" + o.Name); ok {
		return mcpError(http.StatusBadRequest, "0107082a", "All objects must be removed from a partition (%s) before the partition may be removed, type ID (%s)", o.Name, what.Kind.Noun)
	}
	if f := tx.get(Key{Kind: folderKind, Path: "/" + o.Name}); f != nil {
		tx.remove(f)
	}
	return nil
}

func dropFolder(tx *Tx, o *Object) error {
	if _, ok := tx.firstBelow(o.Path); ok {
		return mcpError(http.StatusBadRequest, "01070734", "Configuration error: folder (%s) is not empty.", o.Path)
	}
	return nil
}

// firstBelow finds any object inside a folder.
func (tx *Tx) firstBelow(folder string) (*Object, bool) {
	for _, byKey := range tx.s.objects {
		for _, o := range byKey {
			if strings.HasPrefix(o.Path, folder+"/") && o.Kind.parent == nil {
				return o, true
			}
		}
	}
	return nil, false
}

// setFolderName fills name, partition and subPath as captured: "/Common" is
// name Common in subPath "/", "/Common/Drafts" is name Drafts in partition
// Common.
func setFolderName(o *Object) {
	if o.Path == "/" {
		o.Name = "/"
		return
	}
	dir, name := folderOf(o.Path)
	o.Name = name
	if dir == "/" {
		o.SubPath = "/"
		return
	}
	o.Partition, o.SubPath, _ = splitPath(o.Path)
}

// folderOf splits a path into folder and name.
func folderOf(path string) (dir, name string) {
	i := strings.LastIndex(path, "/")
	if i <= 0 {
		return "/", strings.TrimPrefix(path, "/")
	}
	return path[:i], path[i+1:]
}

// routeDomain is the default route domain of a partition.
func (s *Store) routeDomain(partition string) int {
	if o, ok := s.objects[partitionKind][Key{Kind: partitionKind, Path: partition}]; ok {
		return int(o.Int("defaultRouteDomain"))
	}
	return 0
}
