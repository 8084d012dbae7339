package annotation

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The checks of values: what the functions that read them find wrong.

func checkMode(value string) error {
	_, err := ParseMode(value)
	return err
}

func checkMonitors(value string) error {
	_, err := ParseMonitors(value)
	return err
}

func checkSeconds(value string) error {
	_, err := ParseSeconds(value)
	return err
}

func checkProfiles(value string) error {
	_, err := ParseProfiles(value)
	return err
}

func checkPaths(value string) error {
	_, err := ParsePaths(value)
	return err
}

func checkPersistence(value string) error {
	_, err := ParsePersistence(value)
	return err
}

func checkSNAT(value string) error {
	_, err := ParseSNAT(value)
	return err
}

func checkLimit(value string) error {
	_, err := ParseLimit(value)
	return err
}

func checkDrain(value string) error {
	_, err := ParseDrain(value)
	return err
}

func checkPaused(value string) error { return oneOf(value, "config", "all") }

func checkDeletion(value string) error { return oneOf(value, "delete", "orphan") }

func checkProbe(value string) error { return oneOf(value, "tcp", "none") }

func checkApproval(value string) error { return oneOf(value, Required) }

// approvedHash is what approval's hash looks like.
var approvedHash = regexp.MustCompile(`^[0-9a-f]{32}$`)

func checkApproved(value string) error {
	if !approvedHash.MatchString(value) {
		return fmt.Errorf("%q must be a plan's hash: 32 hex digits, as in the message of a Service with the reason ApprovalRequired", value)
	}
	return nil
}

func checkMemberType(value string) error { return oneOf(value, "pod", "nodeport") }

func oneOf(value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%q must be %s", value, strings.Join(allowed, " or "))
}

func checkNamed(value string) error {
	if value == "" {
		return errors.New("is empty; write a name, or take it away")
	}
	return nil
}
