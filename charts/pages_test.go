package charts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The values of docs/install.md are good ones.
func TestInstallPage(t *testing.T) {
	t.Parallel()
	r := mustRender(t, parse(t, block(t, "install.md", "values.yaml")))
	for _, o := range r.objects {
		testObject(t, r, o)
	}
	if len(r.hooks) != 3 {
		t.Errorf("%d hooks", len(r.hooks))
	}
}

// block is the fenced YAML of a page that begins with a comment of that name.
func block(t *testing.T, page, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(raw), "```yaml\n# "+name+"\n")
	text, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatalf("%s has no %s", page, name)
	}
	return text
}

// commandsOf are those of the block of a page that begins with some words.
func commandsOf(t *testing.T, page, begin string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(raw), "```sh\n"+begin)
	text, _, ended := strings.Cut(begin+rest, "\n```")
	if !found || !ended {
		t.Fatalf("%s has no %s", page, begin)
	}
	return strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n")
}
