package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	ourCommand = regexp.MustCompile(`(?:^|[/ ])landbridge ([a-z][^#\n]*)`)
	// A command in a line of text: `landbridge status NAMESPACE/SERVICE`. Not what
	// a tag on a device says: landbridge cluster=….
	ourWords = regexp.MustCompile("[`/]landbridge ([a-z]+(?: [^`\n]*)?)`")
)

// Every command of ours that is shown exists, takes its flags, and, where it
// is to be typed as it stands, its arguments.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	found := 0
	for _, page := range pages(t, "README.md", "docs/*.md", "charts/landbridge/*.md", "charts/landbridge/values.yaml",
		"charts/landbridge/files/alerts.yaml", "charts/landbridge/files/dashboard.json", "charts/landbridge/templates/NOTES.txt") {
		for _, words := range typed(page.text) {
			found++
			if _, err := understood(words, true); err != nil {
				t.Errorf("%s: %s: %v", page.name, words, err)
			}
		}
		for _, m := range ourWords.FindAllStringSubmatch(page.text, -1) {
			found++
			if _, err := understood(strings.Fields(m[1]), false); err != nil {
				t.Errorf("%s: %s: %v", page.name, m[0], err)
			}
		}
	}
	if found < 80 {
		t.Errorf("only %d commands were found", found)
	}
}

// Every command of ours that a page has people type is run by a script of testenv,
// with these flags, on a cluster and a device of the script's own.
func TestDocumentedCommandsAreRun(t *testing.T) {
	t.Parallel()
	// `landbridge start`, `gateway start`, `agent start`
	run := map[string]bool{"controller": true, "controller --lease-namespace": true, "gateway": true, "agent": true}
	for _, script := range pages(t, "testenv/testdata/script/*.txtar") {
		commands, _, _ := strings.Cut(script.text, "\n-- ")
		for _, m := range scriptCommand.FindAllStringSubmatch(commands, -1) {
			if shape, err := understood(strings.Fields(m[1]), false); err == nil {
				run[shape] = true
			}
		}
	}
	found := 0
	for _, page := range pages(t, "README.md", "docs/*.md") {
		for _, words := range typed(page.text) {
			found++
			if shape, err := understood(words, false); err == nil && !run[shape] {
				t.Errorf("%s: no script has `landbridge %s` with these flags", page.name, shape)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands were found", found)
	}
}

// scriptCommand is one of a script's lines, perhaps repeated, or by somebody else.
var scriptCommand = regexp.MustCompile(`(?m)^(?:! )?(?:eventually .*)?landbridge (?:as \S+ )?(.*)$`)

// page is a file with commands in it. Lines that go on are one.
type page struct {
	name, text string
}

// pages reads the files of the repository that match, and demands one for each pattern.
func pages(t *testing.T, patterns ...string) []page {
	t.Helper()
	var all []page
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pattern)))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page{name, strings.ReplaceAll(string(raw), "\\\n", " ")})
		}
	}
	return all
}

// typed are the commands of ours in the blocks that people type from, without
// where the output goes to and the brackets of what may be left out.
func typed(text string) [][]string {
	var all [][]string
	for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
		for line := range strings.SplitSeq(block[1], "\n") {
			m := ourCommand.FindStringSubmatch(line)
			if m == nil || strings.HasPrefix(line, "helm ") || strings.HasPrefix(line, "make ") {
				continue
			}
			command, _, _ := strings.Cut(m[1], " >")
			all = append(all, strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(command)))
		}
	}
	return all
}

// understood is a command with its flags, without their values and without those
// that say where and as whom: "share --wait". It says what is wrong with them;
// whole: with the arguments too.
func understood(words []string, whole bool) (shape string, err error) {
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(words...)
	cmd, rest, err := root.Find(words)
	if err != nil {
		return "", err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return "", err
	}
	shape = strings.TrimPrefix(cmd.CommandPath(), "landbridge ")
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains([]string{"config", "kubeconfig", "yes"}, f.Name) {
			shape += " --" + f.Name
		}
	})
	if !whole {
		return shape, nil
	}
	return shape, errors.Join(cmd.ValidateArgs(cmd.Flags().Args()), cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups())
}
