// Package deb puts the agent into a Debian package, without Debian's tools: the
// static binary, its systemd unit, an example of its configuration and the
// licences of what it is built from. The same source gives the same bytes:
// nothing of the machine or the clock gets in.
package deb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5" // the format has it, against damage and not against people
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"landbridge.dev/image"
)

// Name is that of the package.
const Name = "landbridge-agent"

// file is one in the package; one without content is a folder.
type file struct {
	mode    int64
	content []byte
}

// Package is what is packed.
type Package struct {
	Release  image.Release
	Binary   image.Binary
	Licences []image.Licence
	// Source is the checkout that unit and example are read from.
	Source string
	// Stored leaves the files as they are, where compressing takes too long.
	Stored bool
}

// File is the name that a package's file has by Debian's custom.
func (p Package) File() string {
	return fmt.Sprintf("%s_%s_%s.deb", Name, version(p.Release.Version), p.Binary.Arch)
}

// Bytes are the package in format 2.0 (deb(5)).
func (p Package) Bytes() ([]byte, error) {
	files, err := p.files()
	if err != nil {
		return nil, err
	}
	data, err := p.archive(files)
	if err != nil {
		return nil, err
	}
	control, err := p.archive(p.control(files))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	for _, member := range []struct {
		name    string
		content []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", control}, {"data.tar.gz", data}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", member.name, p.Release.Created.Unix(), 0, 0, 0o100644, len(member.content))
		out.Write(member.content)
		if len(member.content)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

// files are what is installed.
func (p Package) files() (map[string]file, error) {
	program, err := os.ReadFile(p.Binary.Path)
	if err != nil {
		return nil, err
	}
	const doc = "usr/share/doc/" + Name
	files := map[string]file{"usr/bin/landbridge": {0o755, program}, "etc/landbridge/mq": {mode: 0o700}}
	for from, to := range map[string]string{
		"deploy/landbridge-agent.service": "usr/lib/systemd/system/landbridge-agent.service",
		"deploy/agent.yaml":               doc + "/examples/agent.yaml",
		"docs/vms.md":                     doc + "/vms.md",
	} {
		text, err := os.ReadFile(filepath.Join(p.Source, filepath.FromSlash(from)))
		if err != nil {
			return nil, err
		}
		files[to] = file{0o644, bytes.ReplaceAll(text, []byte("/usr/local/bin/landbridge"), []byte("/usr/bin/landbridge"))}
	}
	var copyright strings.Builder
	copyright.WriteString("The binary is built from these modules, whose licences are in the folder licenses:\n\n")
	for _, l := range p.Licences {
		version := l.Version
		if version == "" { // the product's own
			version = p.Release.Version
		}
		fmt.Fprintf(&copyright, "%s %s: %s\n", l.Module, version, strings.Join(l.IDs, ", "))
		for name, text := range l.Texts {
			files[path.Join(doc, l.Folder(), name)] = file{0o644, text}
		}
	}
	files[doc+"/copyright"] = file{0o644, []byte(copyright.String())}
	return files, nil
}

// The scripts of the package. Configuring and starting it is left to people: it
// has nothing to say before it knows its broker.
const (
	reload = "#!/bin/sh\nset -e\nif [ -z \"$DPKG_ROOT\" ] && [ -d /run/systemd/system ]; then\n\tsystemctl daemon-reload\n"

	afterInstall = reload + "\ttest -z \"$2\" || systemctl try-restart landbridge-agent.service\nfi\n"
	afterRemoval = reload + "fi\n"

	beforeRemoval = "#!/bin/sh\nset -e\nif [ \"$1\" = remove ] && [ -z \"$DPKG_ROOT\" ] && [ -d /run/systemd/system ]; then\n\tsystemctl disable --now landbridge-agent.service\nfi\n"
)

// control is what dpkg is told of the package.
func (p Package) control(files map[string]file) map[string]file {
	var sums strings.Builder
	kilobytes := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if f := files[name]; f.content != nil {
			sum := md5.Sum(f.content)
			fmt.Fprintf(&sums, "%s  %s\n", hex.EncodeToString(sum[:]), name)
			kilobytes += (len(f.content) + 1023) / 1024
		}
	}
	text := fmt.Sprintf(`Package: %s
Version: %s
Architecture: %s
Maintainer: Landbridge <agent@landbridge.dev>
Installed-Size: %d
Section: net
Priority: optional
Homepage: https://landbridge.dev
Description: registers the services of a VM with a Kubernetes cluster
 The agent of Landbridge registers services of this machine over RabbitMQ for
 as long as their health checks pass, and keeps files with the endpoints of the
 cluster's services. Write /etc/landbridge/agent.yaml, of which there is an
 example in /usr/share/doc/%[1]s/examples, and the files username and
 password in /etc/landbridge/mq; then: systemctl enable --now %[1]s
`, Name, version(p.Release.Version), p.Binary.Arch, kilobytes)
	return map[string]file{
		"control": {0o644, []byte(text)}, "md5sums": {0o644, []byte(sums.String())},
		"postinst": {0o755, []byte(afterInstall)}, "prerm": {0o755, []byte(beforeRemoval)}, "postrm": {0o755, []byte(afterRemoval)},
	}
}

// archive packs files, with the folders that they are in, in the order of their
// names.
func (p Package) archive(files map[string]file) ([]byte, error) {
	all := maps.Clone(files)
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, there := all[dir]; !there {
				all[dir] = file{mode: 0o755}
			}
		}
	}
	all["."] = file{mode: 0o755}
	var out bytes.Buffer
	level := gzip.BestCompression
	if p.Stored {
		level = gzip.NoCompression
	}
	packed, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(packed)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := p.add(w, name, all[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (p Package) add(w *tar.Writer, name string, f file) error {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: "./" + name, Mode: f.mode, Size: int64(len(f.content)), Uname: "root", Gname: "root",
		ModTime: p.Release.Created.Truncate(time.Second), Format: tar.FormatGNU,
	}
	if f.content == nil {
		h.Typeflag, h.Name = tar.TypeDir, strings.TrimSuffix("./"+strings.TrimPrefix(name, "."), "/")+"/"
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(f.content)
	return err
}

// after is what git describe says of a commit behind a tag.
var after = regexp.MustCompile(`-(\d+-g[0-9a-f]+(?:-dirty)?|dirty)$`)

// version is a version as Debian orders them: what comes after a tag follows it,
// what stands in a tag after a dash comes before.
func version(v string) string {
	v = strings.TrimPrefix(v, "v")
	suffix := ""
	if at := after.FindStringSubmatchIndex(v); at != nil {
		suffix = "+" + strings.ReplaceAll(v[at[2]:at[3]], "-", ".")
		v = v[:at[0]]
	}
	v = strings.ReplaceAll(v, "-", "~")
	if v == "" || v[0] < '0' || v[0] > '9' || !strings.Contains(v, ".") {
		v = "0~" + v // a commit without a tag
	}
	return v + suffix
}
