package f5_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"landbridge.dev/backends/f5"
	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/fault"
)

// addUser makes a user on a device, whose password is the name, with roles as
// "PARTITION ROLE".
func addUser(t *testing.T, d *bigip.Device, name string, roles ...string) {
	t.Helper()
	var access []any
	for _, r := range roles {
		where, role, _ := strings.Cut(r, " ")
		access = append(access, map[string]any{"name": where, "role": role})
	}
	mustPost(t, d, "/mgmt/tm/auth/user", map[string]any{"name": name, "password": name, "partitionAccess": access})
}

func byName(name string) func() (string, string, error) {
	return func() (string, string, error) { return name, name, nil }
}

// lines are findings as "CHECK LEVEL: MESSAGE".
func lines(findings []f5.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s %s: %s", f.Check, f.Level, f.Message))
	}
	return out
}

// expect checks that of the findings with a level the wanted ones are there,
// and no others. Each is given by what it has to hold.
func expect(t *testing.T, findings []f5.Finding, level f5.Level, want ...string) {
	t.Helper()
	var have []string
	for _, f := range findings {
		if f.Level == level {
			have = append(have, lines([]f5.Finding{f})...)
		}
	}
	for _, w := range want {
		i := slices.IndexFunc(have, func(s string) bool { return strings.Contains(s, w) })
		if i < 0 {
			t.Errorf("no %s with %q in\n%s", level, w, strings.Join(lines(findings), "\n"))
			continue
		}
		have = slices.Delete(have, i, i+1)
	}
	if len(have) > 0 {
		t.Errorf("%s that were not expected:\n%s", level, strings.Join(have, "\n"))
	}
}

// needs are those of a configuration with partition web and nodes in Common.
func needs() f5.Needs {
	return f5.Needs{Partitions: []string{"web"}, NodePartitions: []string{"Common"}}
}

func TestCheckRoles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		roles    []string
		needs    f5.Needs
		change   func(*f5.Options)
		problems []string
		warnings []string
	}{
		{name: "a manager of all", roles: []string{"all-partitions manager"}, needs: needs()},
		{name: "a resource administrator", roles: []string{"all-partitions resource-admin"}, needs: needs()},
		{
			name: "a manager where it is needed, a guest beside", needs: needs(),
			roles: []string{"web manager", "Common manager", "other guest"},
		},
		{
			name: "nothing is seen of a partition", needs: needs(),
			roles: []string{"web manager", "Common manager"}, warnings: []string{"sees nothing in /other"},
		},
		{
			name: "a guest", roles: []string{"all-partitions guest"}, needs: needs(),
			problems: []string{
				"user u may not write virtual servers, pools, monitors, persistence profiles, data groups and iRules in /web: needs role manager there, and is guest",
				"user u may not write nodes in /Common: needs role manager there, and is guest",
			},
		},
		{name: "a guest who only plans", roles: []string{"all-partitions guest"}, needs: f5.Needs{Partitions: []string{"web"}, ReadOnly: true}},
		{
			name: "an operator", roles: []string{"web operator", "Common manager", "other guest"}, needs: needs(),
			problems: []string{"in /web: needs role manager there, and is operator"},
		},
		{
			name: "an editor of applications", roles: []string{"all-partitions application-editor"}, needs: needs(),
			problems: []string{"in /web: needs role manager there, and is application-editor", "nodes in /Common"},
		},
		{
			name: "a manager of one of two partitions", roles: []string{"web manager", "Common guest"},
			needs:    f5.Needs{Partitions: []string{"other", "web"}, NodePartitions: []string{"other", "web"}},
			problems: []string{"may not write virtual servers, pools, monitors, persistence profiles, data groups, iRules and nodes in /other: needs role manager there, and has none"},
		},
		{
			name: "a partition that is not there", roles: []string{"all-partitions manager"},
			needs:    f5.Needs{Partitions: []string{"shop", "web"}, NodePartitions: []string{"Common"}},
			problems: []string{"partitions problem: shop: not on the device"},
		},
		{
			name: "saving takes all partitions", roles: []string{"web manager", "Common manager", "other guest"}, needs: needs(),
			change:   func(o *f5.Options) { o.SaveConfig = time.Minute },
			problems: []string{"may not save the configuration (saveConfig): needs role manager for all-partitions"},
		},
		{
			name: "a group that is not there", roles: []string{"all-partitions manager"}, needs: needs(),
			change:   func(o *f5.Options) { o.ConfigSync = "pair" },
			problems: []string{"configSync names the device group pair, which is not on the device"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{Partitions: []string{"other"}})
			addUser(t, d, "u", test.roles...)
			before, writes := d.Objects("ltm/pool", ""), d.Writes()
			o := optionsFor(d)
			o.Credentials = byName("u")
			if test.change != nil {
				test.change(&o)
			}
			findings := open(t, o).Check(t.Context(), test.needs)
			expect(t, findings, f5.Problem, test.problems...)
			expect(t, findings, f5.Warning, test.warnings...)
			if n := d.Writes(); n != writes || !slices.Equal(before, d.Objects("ltm/pool", "")) {
				t.Errorf("%d writes came to the device", n-writes)
			}
		})
	}
}

// Users of a directory stand nowhere on the device: what they may do is found
// by dry runs, of which nothing stays.
func TestCheckRolesByDryRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		role     string
		problems []string
	}{
		{role: "manager"},
		{role: "guest", problems: []string{
			"user u may not write virtual servers, pools, monitors, persistence profiles, data groups and iRules in /web: needs role manager there",
			"user u may not write nodes in /Common: needs role manager there",
		}},
		{role: "application-editor", problems: []string{"virtual servers, pools, monitors, persistence profiles, data groups and iRules in /web", "nodes in /Common"}},
	} {
		t.Run(test.role, func(t *testing.T) {
			t.Parallel()
			d := startDevice(t, bigip.Options{Faults: []fault.Rule{{
				Path: "/mgmt/tm/auth/user/u", Do: fault.Status, Status: http.StatusNotFound,
				Body: `{"code":404,"message":"01020036:3: The requested user (u) was not found.","errorStack":[],"apiError":3}`,
			}}})
			addUser(t, d, "u", "all-partitions "+test.role)
			before, err := d.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			o := optionsFor(d)
			o.Credentials = byName("u")
			expect(t, open(t, o).Check(t.Context(), needs()), f5.Problem, test.problems...)
			after, err := d.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if string(before) != string(after) {
				t.Error("the device is not as it was")
			}
			_, answer := d.Do(http.MethodGet, "/mgmt/tm/transaction", nil)
			if left, _ := answer["items"].([]any); len(left) > 0 {
				t.Errorf("%d transactions are left open", len(left))
			}
		})
	}
}

// heedless is a device that does not know validateOnly.
type heedless struct {
	device *bigip.Device
	asked  atomic.Int32
}

func (h *heedless) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(body, []byte("validateOnly")) {
		h.asked.Add(1)
		body = bytes.Replace(body, []byte(`,"validateOnly":true`), nil, 1)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer := httptest.NewRecorder()
	h.device.Handler().ServeHTTP(answer, r)
	return answer.Result(), nil
}

func TestCheckDryRunCannotSucceed(t *testing.T) {
	t.Parallel()
	d := startDevice(t, bigip.Options{Faults: []fault.Rule{{Path: "/mgmt/tm/auth/user/u", Do: fault.Status, Status: http.StatusForbidden}}})
	addUser(t, d, "u", "all-partitions manager")
	h := &heedless{device: d}
	o := optionsFor(d)
	o.Hosts, o.Transport, o.Credentials = []string{"http://a"}, h, byName("u")
	expect(t, open(t, o).Check(t.Context(), needs()), f5.Problem)
	if h.asked.Load() == 0 {
		t.Error("nothing was validated")
	}
	for _, kind := range []string{"ltm/pool", "ltm/virtual", "ltm/node"} {
		if left := d.Objects(kind, ""); len(left) > 0 {
			t.Errorf("left on the device: %v", left)
		}
	}
}

func TestCheckReach(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*f5.Options)
		want   string
	}{
		{"refused", func(o *f5.Options) { o.Hosts = []string{"https://127.0.0.1:1"} }, "reach problem: dial tcp 127.0.0.1:1: connect: connection refused: see that hosts"},
		{"another CA", func(o *f5.Options) { o.RootCAs = nil; o.CAFile = "testdata/none.pem" }, "reach problem: caFile: open testdata/none.pem"},
		{"no CA", func(o *f5.Options) { o.RootCAs = nil }, "does not verify: set caFile to the CA that signed it"},
		{"wrong password", func(o *f5.Options) { o.Credentials = func() (string, string, error) { return "admin", "no", nil } }, "login problem: login to "},
		{"no password", func(o *f5.Options) {
			o.Credentials = func() (string, string, error) { return "", "", fmt.Errorf("open password: no such file") }
		}, "login problem: open password: no such file: credentialsDir must hold"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := optionsFor(startDevice(t, bigip.Options{}))
			test.change(&o)
			expect(t, open(t, o).Check(t.Context(), needs()), f5.Problem, test.want)
		})
	}
}

func TestCheckPair(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		change   func(*f5.Options)
		act      func(t *testing.T, units *bigip.Pair, w *wires)
		problems []string
		warnings []string
		ok       []string
	}{
		{
			name: "a pair", ok: []string{"changes go to http://a", "hosts names the units of one device group", "standby for /Common/traffic-group-1"},
		},
		{
			name: "the standby alone", change: func(o *f5.Options) { o.Hosts = []string{"http://b"} },
			problems: []string{"add the active unit to hosts"}, warnings: []string{"add bigip01.lab.local"},
		},
		{
			name: "the active one alone", change: func(o *f5.Options) { o.Hosts = []string{"http://a"} },
			warnings: []string{"add bigip02.lab.local"}, ok: []string{"changes go to http://a"},
		},
		{
			name: "one unit twice", change: func(o *f5.Options) { o.Hosts = []string{"http://a", "http://a/"} },
			problems: []string{"are one unit, bigip01.lab.local", "all say that they are active"},
		},
		{
			name: "both offline", act: func(t *testing.T, units *bigip.Pair, _ *wires) {
				order(t, units.A, "offline")
				order(t, units.B, "offline")
			},
			problems: []string{"no unit of hosts is active"}, warnings: []string{"it will not take over", "it will not take over"},
		},
		{
			name: "the active one away", act: func(_ *testing.T, _ *bigip.Pair, w *wires) { w.setCut("a", true) },
			problems: []string{"reach problem", "no unit that answers is active"},
		},
		{
			name: "changes that the peer lacks", act: func(t *testing.T, units *bigip.Pair, _ *wires) {
				mustPost(t, units.A, "/mgmt/tm/ltm/pool", map[string]any{"name": "/web/p"})
			},
			warnings: []string{"changes pending: after a failover", "changes pending: after a failover"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			units, backend, w := startPair(t, bigip.Options{}, bigip.PairOptions{}, test.change)
			if test.act != nil {
				test.act(t, units, w)
			}
			findings := backend.Check(t.Context(), needs())
			expect(t, findings, f5.Problem, test.problems...)
			expect(t, findings, f5.Warning, test.warnings...)
			all := strings.Join(lines(findings), "\n")
			for _, want := range test.ok {
				if !strings.Contains(all, want) {
					t.Errorf("no %q in\n%s", want, all)
				}
			}
		})
	}
}
