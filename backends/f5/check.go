package f5

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Needs are what a Backend is to be used for, and so what its user needs the
// rights for.
type Needs struct {
	// Partitions are those in which virtual servers and pools are made.
	Partitions []string
	// NodePartitions are those in which nodes are made.
	NodePartitions []string
	// ReadOnly: nothing is changed, and reading is enough.
	ReadOnly bool
}

// Level is how bad a Finding is.
type Level string

// The levels of Findings.
const (
	// OK: as it should be.
	OK Level = "ok"
	// Warning: all works now, and something will not, or may not.
	Warning Level = "warning"
	// Problem: something does not work.
	Problem Level = "problem"
)

// Finding is one thing that Check has looked at.
type Finding struct {
	// Unit is the base URL of the unit that it is about; empty for all.
	Unit string
	// Check is what was looked at: reach, certificate, login, version, failover, sync,
	// group, partitions, read, write, save, config-sync.
	Check string
	Level Level
	// Message is for a person, and says the way out where there is a
	// problem. No secret is in it.
	Message string
}

// Check finds out of each unit whether it is reached, until when its certificate
// is good, whether it takes the login, what it
// is, and whether the user may do what is needed. It changes nothing: where the
// user may not read the own roles, writing is tried in transactions that are
// only validated and cannot succeed. It ends when ctx does, at the latest.
func (b *Backend) Check(ctx context.Context, needs Needs) []Finding {
	var (
		checks = make([]*unitCheck, len(b.group.units))
		wg     sync.WaitGroup
	)
	for i, u := range b.group.units {
		checks[i] = &unitCheck{session: u, opts: &b.opts, needs: needs}
		wg.Go(func() { checks[i].run(ctx) })
	}
	wg.Wait()
	var findings []Finding
	for _, c := range checks {
		findings = append(findings, c.findings...)
	}
	return append(findings, groupFindings(checks)...)
}

// unitCheck looks at one unit.
type unitCheck struct {
	session *session
	opts    *Options
	needs   Needs

	user     string
	answered bool     // it is logged in to
	active   bool     // for traffic-group-1
	standing string   // in lower case: "active", "standby"
	self     string   // its name in its device group
	devices  []string // of all units there
	findings []Finding
}

func (c *unitCheck) find(check string, level Level, format string, args ...any) {
	c.findings = append(c.findings, Finding{Unit: c.session.host, Check: check, Level: level, Message: fmt.Sprintf(format, args...)})
}

// fail notes why a question was not answered.
func (c *unitCheck) fail(check string, err error) {
	_, _, advice := classify(err)
	if advice != "" {
		err = fmt.Errorf("%s: %w", advice, err)
	}
	c.find(check, Problem, "%v", err)
}

func (c *unitCheck) run(ctx context.Context) {
	if c.answered = c.login(ctx); !c.answered {
		return
	}
	c.version(ctx)
	c.role(ctx)
	c.syncState(ctx)
	c.rights(ctx)
}

// login tells a unit that is not reached from one that does not let us in.
func (c *unitCheck) login(ctx context.Context) bool {
	user, _, err := c.opts.Credentials()
	if err != nil {
		c.find("login", Problem, "%v: credentialsDir must hold the files username and password", err)
		return false
	}
	c.user = user
	_, err = c.session.token(ctx)
	var (
		certificate *tls.CertificateVerificationError
		call        *callError
		refused     *loginError
		answer      *Error
	)
	if errors.As(err, &call) {
		err = call.err // which call it was does not matter
	}
	switch {
	case err == nil:
		c.reached()
		c.find("login", OK, "as %s", user)
	case errors.As(err, &refused):
		c.reached()
		c.find("login", Problem, "%v", err)
	case errors.As(err, &answer):
		c.reached()
		c.fail("login", err)
	case errors.As(err, &certificate):
		c.find("reach", Problem, "%v", err)
	default:
		c.find("reach", Problem, "%v: see that hosts names the management address, that the unit is up, and that nothing between keeps us from it", err)
	}
	return err == nil
}

func (c *unitCheck) reached() {
	switch {
	case c.opts.InsecureSkipVerify:
		c.find("reach", Warning, "answers, and any certificate is taken from whoever does: set caFile in place of insecureSkipVerify")
	case c.opts.CAFile != "":
		c.find("reach", OK, "answers, with a certificate that %s verifies", c.opts.CAFile)
	default:
		c.find("reach", OK, "answers, with a certificate that the system's roots verify")
	}
	if seen := c.session.certificate.Load(); seen != nil {
		level, message := Expiry(seen.NotAfter, c.opts.Clock())
		c.find("certificate", level, "%s", message)
	}
}

// soon is how long before its end a certificate is warned of.
const soon = 14 * 24 * time.Hour

// Expiry judges until when a certificate is good: what Check says of a unit's,
// for those of others.
func Expiry(notAfter, now time.Time) (level Level, message string) {
	date := notAfter.UTC().Format(time.RFC3339)
	switch {
	case now.After(notAfter):
		return Warning, "has expired on " + date + ": renew it there"
	case now.Add(soon).After(notAfter):
		return Warning, "expires within 14 days, on " + date + ": renew it there before that, or nothing is reached any more"
	}
	return OK, "good until " + date
}

func (c *unitCheck) version(ctx context.Context) {
	var answer struct {
		Entries map[string]struct {
			NestedStats struct {
				Entries struct{ Version, Build statText } `json:"entries"`
			} `json:"nestedStats"`
		} `json:"entries"`
	}
	if err := c.session.get(ctx, "sys/version", &answer); err != nil {
		c.fail("version", err)
		return
	}
	for _, e := range answer.Entries {
		c.find("version", OK, "TMOS %s build %s", e.NestedStats.Entries.Version.Description, e.NestedStats.Entries.Build.Description)
	}
}

// role looks at what the unit is in its device group.
func (c *unitCheck) role(ctx context.Context) {
	status, err := c.session.readStatus(ctx, failoverPath)
	if err != nil {
		c.fail("failover", err)
		return
	}
	c.active, c.standing = status.isActive(), strings.ToLower(status.status)
	switch {
	case c.active:
		c.find("failover", OK, "active for %s", trafficGroup)
	case status.status == "STANDBY" || status.status == "ACTIVE":
		c.find("failover", OK, "standby for %s", trafficGroup)
	default:
		c.find("failover", Warning, "%s: it will not take over; bring it online on the device", c.standing)
	}
	if c.self, c.devices, err = failoverGroup(ctx, c.session); err != nil {
		c.fail("group", err)
	}
}

func (c *unitCheck) syncState(ctx context.Context) {
	status, err := c.session.readStatus(ctx, "cm/sync-status")
	if err != nil {
		c.fail("sync", err)
		return
	}
	switch status.status {
	case "Standalone", "In Sync":
		c.find("sync", OK, "%s", strings.ToLower(status.status))
	case "Changes Pending", "Syncing", "Awaiting Initial Sync":
		c.find("sync", Warning, "%s: after a failover the other unit lacks what was changed here; sync the group, have it sync by itself, or set configSync (%s)",
			strings.ToLower(status.status), strings.Join(status.details, "; "))
	default:
		c.find("sync", Problem, "%s: see to it on the devices (%s)", strings.ToLower(status.status), strings.Join(status.details, "; "))
	}
	if c.opts.ConfigSync == "" {
		return
	}
	automatic, err := autoSync(ctx, c.session, c.opts.ConfigSync)
	switch {
	case isAbsent(err):
		c.find("config-sync", Problem, "configSync names the device group %s, which is not on the device: correct the name", c.opts.ConfigSync)
	case err != nil:
		c.fail("config-sync", err)
	case automatic:
		c.find("config-sync", OK, "device group %s syncs by itself, so configSync has nothing to do", c.opts.ConfigSync)
	default:
		c.find("config-sync", OK, "device group %s is there, and is synced when this unit alone is ahead", c.opts.ConfigSync)
	}
}

// refusedByRole says whether an error is the device's refusal because of the
// user's role.
func refusedByRole(err error) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.denied()
}

// partitionAccess is a user's role in a partition.
type partitionAccess struct {
	Name string `json:"name"` // or all-partitions
	Role string `json:"role"`
}

// access reads the own roles. Users of other authentication providers stand
// nowhere on the device.
func (c *unitCheck) access(ctx context.Context) ([]partitionAccess, error) {
	var user struct {
		Access json.RawMessage `json:"partitionAccess"`
	}
	if err := c.session.get(ctx, objectPath("auth/user", c.user), &user); err != nil {
		return nil, err
	}
	var access []partitionAccess
	if err := json.Unmarshal(user.Access, &access); err != nil || len(access) == 0 {
		return nil, errNotObject
	}
	return access, nil
}
