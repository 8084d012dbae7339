package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo terminal: what is written to the first is typed at
// the second.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	for typed, yes := range map[string]bool{
		"y\n": true, "Y\n": true, "yes \n": true, "YES\n": true,
		"\n": false, "n\n": false, "yess\n": false, "\x04": false, "25\n": false,
	} {
		t.Run(fmt.Sprintf("%q", typed), func(t *testing.T) {
			t.Parallel()
			person, program := terminal(t)
			if _, err := person.WriteString(typed); err != nil {
				t.Fatal(err)
			}
			var shown bytes.Buffer
			err := confirm(t.Context(), program, &shown, "Release shop/web?", false)
			if yes && err != nil || !yes && !errors.Is(err, errNotConfirmed) {
				t.Errorf("confirmed with %q: %v", typed, err)
			}
			if shown.String() != "Release shop/web? [y/N] " {
				t.Errorf("asked %q", &shown)
			}
		})
	}
}

// Who ends the program while it asks has not said yes.
func TestConfirmInterrupted(t *testing.T) {
	t.Parallel()
	_, program := terminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := confirm(ctx, program, &bytes.Buffer{}, "Release shop/web?", false); !errors.Is(err, errNotConfirmed) {
		t.Errorf("confirmed by nobody: %v", err)
	}
}

func TestConfirmWithoutTerminal(t *testing.T) {
	t.Parallel()
	typed, person, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer typed.Close()
	fmt.Fprintln(person, "y")
	person.Close()
	var shown bytes.Buffer
	err = confirm(t.Context(), typed, &shown, "Release shop/web?", false)
	if err == nil || !strings.Contains(err.Error(), "add --yes") || shown.Len() > 0 {
		t.Errorf("without a terminal: %v, asked %q", err, &shown)
	}
	if err := confirm(t.Context(), typed, &shown, "Release shop/web?", true); err != nil {
		t.Errorf("with --yes: %v", err)
	}
}
