package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// checkHasProblems is the exit code of a check that found one.
const checkHasProblems exitCode = 1

type checkCommand struct {
	common
	lease   leaseFlags
	output  string
	timeout time.Duration
	// outside leaves the cluster out: before an installation nobody has
	// rights there.
	outside bool
	// secrets are where Secrets are mounted that need not be there: folder to
	// NAMESPACE/NAME.
	secrets map[string]string
}

func newCheck() *cobra.Command {
	c := &checkCommand{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find out what keeps a controller from its work, and change nothing",
		Long: "Check looks at the configuration, at the rights in the cluster, and on each unit\n" +
			"of each device at reach, certificate, login, version, failover and sync state and\n" +
			"the rights of the user, and at the broker: reach, certificate, version, and the\n" +
			"user's rights in each vhost. Each missing right is named, and each certificate\n" +
			"that expires within 14 days. It asks as whoever runs it: in the controller's pod\n" +
			"as the controller.\n\n" +
			"It changes nothing. Where a device does not show the user's roles, rights are\n" +
			"tried in transactions that are only validated and cannot succeed.\n\n" +
			"Exit code 0: no problem (warnings may be there); 1: a problem.",
		Example: "  landbridge check --config landbridge.yaml\n" +
			"  landbridge check --config landbridge.yaml --skip-kubernetes   # before anybody has rights in the cluster",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	c.register(f)
	c.lease.registerName(f, leaseOfAsking)
	f.StringVarP(&c.output, "output", "o", "text", "text or json")
	f.DurationVar(&c.timeout, "timeout", 10*time.Second, "how long one call may take")
	f.BoolVar(&c.outside, "skip-kubernetes", false, "leave the cluster out, as before an installation, when nobody has rights there yet")
	f.StringToStringVar(&c.secrets, "secret", nil, "FOLDER=NAMESPACE/NAME: which Secret is mounted there if it exists, to name it where it does not; may be repeated")
	return cmd
}

func (c *checkCommand) run(ctx context.Context, w io.Writer) error {
	if err := checkOutput(c.output); err != nil {
		return err
	}
	if c.timeout <= 0 {
		return fmt.Errorf("--timeout %s must be more than 0", c.timeout)
	}
	report := &checkReport{Schema: checkSchema, Checks: []checkLine{}}
	conf := c.checkConfig(report)
	c.checkSecrets(report)
	if !c.outside {
		c.checkKubernetes(ctx, report, conf)
	}
	if conf != nil {
		c.checkDevices(ctx, report, conf)
		c.checkBroker(ctx, report, conf)
	}
	if err := report.write(w, c.output); err != nil {
		return err
	}
	if report.Problems > 0 {
		return checkHasProblems
	}
	return nil
}

// checkConfig reads the configuration; nil where it cannot be used.
func (c *checkCommand) checkConfig(report *checkReport) *config.Config {
	conf, err := config.Load(c.config)
	if err != nil {
		for _, problem := range config.Problems(err) {
			report.add("config", "", "file", f5.Problem, problem.Error())
		}
		return nil
	}
	report.Cluster = conf.Cluster
	report.add("config", "", "file", f5.OK, fmt.Sprintf("%s is valid: cluster %s, BIG-IPs: %d, tenants: %d", c.config, conf.Cluster, len(conf.BIGIP), len(conf.Tenants)))
	switch {
	case conf.Paused:
		report.add("config", "", "mode", f5.Warning, "paused: true, nothing is changed outside")
	case conf.Mode == config.ModePlan:
		report.add("config", "", "mode", f5.Warning, "mode: plan, nothing is changed outside")
	}
	return conf
}

// checkSecrets names the Secrets of which nothing is mounted. The API server is not
// asked: nobody has a right to Secrets.
func (c *checkCommand) checkSecrets(report *checkReport) {
	for _, dir := range slices.Sorted(maps.Keys(c.secrets)) {
		files, err := os.ReadDir(dir)
		// Kubelet's own entries are there without any key too.
		files = slices.DeleteFunc(files, func(f os.DirEntry) bool { return strings.HasPrefix(f.Name(), "..") })
		switch {
		case err != nil && !errors.Is(err, os.ErrNotExist):
			report.add("config", "", "secret", f5.Problem, fmt.Sprintf("%s of Secret %s: %v", dir, c.secrets[dir], err))
		case len(files) == 0:
			report.add("config", "", "secret", f5.Problem, fmt.Sprintf("%s is empty: there is no Secret %s, or it has no keys; create it first", dir, c.secrets[dir]))
		default:
			report.add("config", "", "secret", f5.OK, fmt.Sprintf("%s holds what Secret %s has", dir, c.secrets[dir]))
		}
	}
}

// checkDevices looks at all devices at once, and tells of them in the order of
// the configuration.
func (c *checkCommand) checkDevices(ctx context.Context, report *checkReport, conf *config.Config) {
	findings := make([]chan []f5.Finding, len(conf.BIGIP))
	for i, b := range conf.BIGIP {
		findings[i] = make(chan []f5.Finding, 1)
		go func() { findings[i] <- c.checkDevice(ctx, conf, b) }()
	}
	for i, b := range conf.BIGIP {
		for _, f := range <-findings[i] {
			report.add(translate.BackendOf(b.Name), f.Unit, f.Check, f.Level, f.Message)
		}
	}
}

func (c *checkCommand) checkDevice(ctx context.Context, conf *config.Config, b config.BIGIP) []f5.Finding {
	options := deviceOptions(b, state.Identity{Cluster: conf.Cluster}, zap.NewNop(), nil, nil)
	options.CallTimeout = c.timeout
	backend, err := f5.New(options)
	if err != nil {
		return []f5.Finding{{Check: "reach", Level: f5.Problem, Message: err.Error()}}
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutTimeout)
		defer cancel()
		_ = backend.Close(ctx) // a token that is not given back runs out
	}()
	return backend.Check(ctx, needsOf(conf, b))
}

// needsOf is what the configuration asks of a device's user.
func needsOf(conf *config.Config, b config.BIGIP) f5.Needs {
	needs := f5.Needs{Partitions: conf.PartitionsOn(b.Name), ReadOnly: conf.Mode == config.ModePlan}
	needs.NodePartitions = []string{b.NodePartition}
	if b.NodePartition == "same" {
		needs.NodePartitions = slices.Clone(needs.Partitions)
	}
	return needs
}
