// Package landbridge_test checks what the repository as a whole promises.
package landbridge_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"landbridge.dev/config"
)

// fenced finds the fenced blocks of a language in a page.
func fenced(t *testing.T, page, language string) []string {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(raw), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no %s block", page, language)
	}
	return blocks
}

func TestReadmeConfigurationIsValid(t *testing.T) {
	t.Parallel()
	found := false
	for _, block := range fenced(t, "README.md", "yaml") {
		if !strings.Contains(block, "kind: Config") {
			continue
		}
		found = true
		if _, err := config.Parse([]byte(block)); err != nil {
			t.Errorf("README.md: %v", err)
		}
	}
	if !found {
		t.Error("README.md shows no configuration")
	}
}

func TestReadmeMakeTargetsExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"README.md", "CONTRIBUTING.md"} {
		for _, block := range fenced(t, page, "sh") {
			for _, m := range regexp.MustCompile(`(?m)^make ([a-z0-9-]+)`).FindAllStringSubmatch(block, -1) {
				if !strings.Contains(string(makefile), "\n"+m[1]+":") {
					t.Errorf("%s names `make %s`, which the Makefile lacks", page, m[1])
				}
			}
		}
	}
}

func TestLinksLead(t *testing.T) {
	t.Parallel()
	for _, page := range []string{
		"README.md", "CONTRIBUTING.md", "charts/landbridge/README.md",
		"docs/install.md", "docs/operating.md", "docs/runbooks.md", "docs/security.md",
	} {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(string(raw), -1) {
			if strings.HasPrefix(m[1], "http") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}
