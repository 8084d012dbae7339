package image

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// std is how Go's own library is called among modules.
const std = "std"

// Licence is what a module that is in a binary asks of those who pass it on.
type Licence struct {
	// Version is empty for the product itself, whose a Release says.
	Module, Version string
	// IDs are SPDX identifiers of the licences found, sorted; none where no
	// text was recognized.
	IDs []string
	// Texts are the files by name: LICENSE, NOTICE and the like.
	Texts map[string][]byte
}

// Licences are that of the product, first, and those of all modules that a
// binary is built from and of Go's own library, by the files that the checkout
// and the module cache have.
func (s Source) Licences(ctx context.Context, binary string) ([]Licence, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	root, err := s.run(ctx, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	out, err := s.run(ctx, []string{"GOFLAGS="}, "go", "list", "-m", "-json=Path,Dir", "all")
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for modules := json.NewDecoder(strings.NewReader(out)); ; {
		var m struct{ Path, Dir string }
		if err := modules.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		dirs[m.Path] = m.Dir
	}
	all := []Licence{{Module: info.Main.Path}, {Module: std, Version: strings.TrimPrefix(info.GoVersion, "go")}}
	dirs[std] = root
	for _, m := range info.Deps {
		all = append(all, Licence{Module: m.Path, Version: m.Version})
	}
	for i := range all {
		if err := all[i].read(dirs[all[i].Module]); err != nil {
			return nil, fmt.Errorf("licence of %s: %w", all[i].Module, err)
		}
	}
	return all, nil
}

// What is passed on with a module, and what of it is its licence.
var (
	passedOn    = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents|unlicense)([.-].*)?$`)
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([.-].*)?$`)
)

// Folder is where its texts are, in the image and in what else is passed on.
func (l Licence) Folder() string {
	if l.Version == "" {
		return path.Join("licenses", l.Module)
	}
	return path.Join("licenses", l.Module+"@"+l.Version)
}

// expression is the licence in SPDX's words, and NOASSERTION where no text was
// recognized.
func (l Licence) expression() string {
	if len(l.IDs) == 0 {
		return noAssertion
	}
	return strings.Join(l.IDs, " AND ")
}

func (l *Licence) read(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	l.Texts = map[string][]byte{}
	for _, e := range entries {
		if !passedOn.MatchString(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		l.Texts[e.Name()] = text
		if !licenceFile.MatchString(e.Name()) {
			continue
		}
		for _, m := range licensecheck.Scan(text).Match {
			if !m.IsURL {
				l.IDs = append(l.IDs, m.ID)
			}
		}
	}
	slices.Sort(l.IDs)
	l.IDs = slices.Compact(l.IDs)
	return nil
}
