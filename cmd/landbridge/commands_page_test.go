package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// update writes the page anew: `make generate`.
var update = flag.Bool("update", false, "write generated files anew")

const commandsHead = "# Commands\n\nWhat `landbridge COMMAND --help` says, made from the program by `make generate`. Under the name `kubectl-landbridge` it is\n" +
	"`kubectl landbridge`. Where a command says nothing else of its exit code, it is 0 if it did what it says, and 1 with the reason on the standard error otherwise.\n"

// docs/commands.md is what the program says of its commands.
func TestCommandsPageIsGenerated(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	root := newRoot()
	fmt.Fprintf(&page, "%s\n%s\n%s", commandsHead, root.Long, examples(t, root))
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" && cmd.Name() != "completion" {
			describe(t, &page, cmd)
		}
	}
	const path = "../../docs/commands.md"
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

// examples is what a command has a person type, to be checked like all that the
// documentation does. A command without any is half explained.
func examples(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	if cmd.HasAvailableSubCommands() && cmd.HasParent() {
		return "" // those have
	}
	if cmd.Example == "" {
		t.Errorf("%s has no example", cmd.CommandPath())
	}
	var lines []string
	for line := range strings.SplitSeq(cmd.Example, "\n") {
		lines = append(lines, strings.TrimPrefix(line, "  "))
	}
	return "\n```sh\n" + strings.Join(lines, "\n") + "\n```\n"
}

func describe(t *testing.T, page *bytes.Buffer, cmd *cobra.Command) {
	t.Helper()
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	fmt.Fprintf(page, "\n## %s\n\n    %s\n\n%s\n", strings.TrimPrefix(cmd.CommandPath(), "landbridge "), cmd.UseLine(), about)
	page.WriteString(examples(t, cmd))
	head := "\n| flag | default | |\n|---|---|---|\n"
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		value := ""
		if f.DefValue != "" && f.DefValue != "[]" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(page, "%s| %s | %s | %s |\n", head, name, value, strings.ReplaceAll(f.Usage, "|", `\|`))
		head = ""
	})
	for _, sub := range cmd.Commands() {
		describe(t, page, sub)
	}
}
