package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"landbridge.dev/backends/f5"
)

// checkSchema is the version of the shape of checkReport.
const checkSchema = "landbridge.dev/check/v1"

// checkReport is the answer of `landbridge check -o json`.
type checkReport struct {
	Schema   string      `json:"schema"`
	Cluster  string      `json:"cluster,omitempty"` // as the configuration says
	Problems int         `json:"problems"`
	Warnings int         `json:"warnings"`
	Checks   []checkLine `json:"checks"`
}

// checkLine is one thing that was looked at.
type checkLine struct {
	// Subject is "config", "kubernetes", or a backend: "bigip/dc1".
	Subject string `json:"subject"`
	// Unit is the URL of a device's unit, where it is about one.
	Unit  string `json:"unit,omitempty"`
	Check string `json:"check"`
	// Result is "ok", "warning" or "problem".
	Result  f5.Level `json:"result"`
	Message string   `json:"message"`
}

func (r *checkReport) add(subject, unit, check string, result f5.Level, message string) {
	r.Checks = append(r.Checks, checkLine{Subject: subject, Unit: unit, Check: check, Result: result, Message: message})
	switch result {
	case f5.Problem:
		r.Problems++
	case f5.Warning:
		r.Warnings++
	case f5.OK:
	}
}

func (r *checkReport) write(w io.Writer, output string) error {
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range r.Checks {
		subject := l.Subject
		if l.Unit != "" {
			subject += " " + l.Unit
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", l.Result, subject, l.Check, l.Message)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	_, err := fmt.Fprintf(w, "\nProblems: %d, warnings: %d.\n", r.Problems, r.Warnings)
	return err
}
