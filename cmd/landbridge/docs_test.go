package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	ourCommand = regexp.MustCompile(`(?:^|[/ ])landbridge ([a-z][^#\n]*)`)
)

// Every command of ours that a page shows exists, with its flags.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../../README.md") {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range shellBlock.FindAllStringSubmatch(strings.ReplaceAll(string(raw), "\\\n", " "), -1) {
			for line := range strings.SplitSeq(block[1], "\n") {
				m := ourCommand.FindStringSubmatch(line)
				if m == nil || strings.HasPrefix(line, "helm ") || strings.HasPrefix(line, "make ") {
					continue
				}
				found++
				words := strings.Fields(m[1])
				cmd, rest, err := newRoot().Find(words)
				if err != nil || cmd.Name() == "landbridge" {
					t.Errorf("%s: %s: %v", page, line, err)
				} else if err := cmd.ParseFlags(rest); err != nil {
					t.Errorf("%s: %s: %v", page, line, err)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d commands were found", found)
	}
}
