package charts_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// update writes the README anew: `make generate`.
var update = flag.Bool("update", false, "write generated files anew")

const readmeHead = `# The chart

One release for each cluster: the controller and, where the configuration has a broker, gateways, with no more rights than
they need. [docs/install.md](../../docs/install.md) goes through an installation, [docs/operating.md](../../docs/operating.md)
through upgrades and the end, [docs/security.md](../../docs/security.md) says what is trusted with what.

This page is made from values.yaml: ` + "`make generate`" + `.

| value | default | |
|---|---|---|
`

// The README lists every value with its default and what values.yaml says of it.
func TestReadme(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(folder + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	page.WriteString(readmeHead)
	rows(t, &page, "", document.Content[0])
	const path = folder + "/README.md"
	if *update {
		if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, page.Bytes()) {
		t.Errorf("%s is not up to date: run `make generate` (%v)", path, err)
	}
}

// rows writes the values of a mapping. One written on a line of its own is a
// value like a scalar.
func rows(t *testing.T, page *bytes.Buffer, prefix string, mapping *yaml.Node) {
	t.Helper()
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		path := prefix + key.Value
		about := strings.Join(strings.Fields(strings.ReplaceAll(strings.ReplaceAll(key.HeadComment, "# ", ""), "#", "")), " ")
		if value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0 {
			if about != "" {
				fmt.Fprintf(page, "| `%s` | | %s |\n", path, about)
			}
			rows(t, page, path+".", value)
			continue
		}
		text, err := yaml.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(page, "| `%s` | `%s` | %s |\n", path, strings.TrimSpace(string(text)), about)
	}
}
