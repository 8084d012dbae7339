package main_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// program builds landbridge-lab, as its users do.
func program(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "landbridge-lab")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return binary
}

// result is how a run ended.
type result struct {
	stdout, stderr string
	code           int
}

// labRun runs the program for the lab in dir.
func labRun(ctx context.Context, t *testing.T, binary, dir string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "LANDBRIDGE_LAB="+dir)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func (r result) want(t *testing.T, code int, pattern string) {
	t.Helper()
	if r.code != code || !regexp.MustCompile(pattern).MatchString(r.stdout+r.stderr) {
		t.Fatalf("exit code %d, want %d and %q\nstdout:\n%s\nstderr:\n%s", r.code, code, pattern, r.stdout, r.stderr)
	}
}

// The first two chapters: all of them are `make lab`, which CI plays as well.
func TestStory(t *testing.T) {
	t.Parallel()
	r := labRun(t.Context(), t, program(t), t.TempDir(), "story", "--chapters", "2")
	r.want(t, 0, `(?m)^All [1-9]\d* steps went as they should: \d+ checks in \d+ s\.$`)
	t.Log(r.stdout)
}

// The figures of so small a scene say nothing; that they come does.
func TestBench(t *testing.T) {
	t.Parallel()
	r := labRun(t.Context(), t, program(t), t.TempDir(), "bench", "--small", "20", "--large", "0", "--flips", "5", "--parts=false")
	r.want(t, 0, `(?m)^calls for a flip of readiness +1 +1\.000$`)
	r.want(t, 0, `: \d+ reads, 0 writes`)
}

func TestUpExecDown(t *testing.T) {
	t.Parallel()
	binary, dir := program(t), filepath.Join(t.TempDir(), "lab")
	run := func(args ...string) result {
		t.Helper()
		return labRun(t.Context(), t, binary, dir, args...)
	}
	run("exec", "--", "true").want(t, 1, "the lab is not up; `landbridge-lab up` starts it")
	run("down").want(t, 0, "The lab is not up.")

	t.Cleanup(func() { labRun(context.WithoutCancel(t.Context()), t, binary, dir, "down") })
	up := run("up")
	up.want(t, 0, `The lab is up, after`)
	run("up").want(t, 0, `The lab is up already`)

	run("exec", "--", "kubectl", "get", "service", "web", "-n", "shop").want(t, 0, `web +LoadBalancer .* 203\.0\.113\.10 `)
	run("exec", "--", "landbridge", "version").want(t, 0, `^landbridge `)
	config := regexp.MustCompile(`--config (\S+)`).FindStringSubmatch(up.stdout)[1]
	run("exec", "--", "landbridge", "import", "--config", config, "--device", "dc1", "/web/cart_vs").want(t, 0, `join-pool: "/web/cart"`)
	run("exec", "--", "sh", "-c", "exit 7").want(t, 7, "")
	run("exec", "--", "sh", "-c", "pwd; echo; hostname").want(t, 0, "(?s)/cmd/landbridge-lab\n.*landbridge")

	// What it says is forwarded is.
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/\n`).FindString(up.stdout)
	if body := fetch(t, strings.TrimSpace(url)); !strings.HasPrefix(body, "pod=web-") {
		t.Errorf("the forwarded virtual server answers %q", body)
	}
	url = regexp.MustCompile(`http://127\.0\.0\.1:\d+/metrics`).FindString(up.stdout)
	if body := fetch(t, url); !strings.Contains(body, "landbridge_leader 1") {
		t.Errorf("the forwarded metrics lack landbridge_leader 1:\n%s", body)
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	kubectl := strings.TrimSpace(run("exec", "--", "sh", "-c", "command -v kubectl").stdout)
	out, err := exec.CommandContext(t.Context(), kubectl, "--kubeconfig", kubeconfig, "get", "nodes").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "node-b") {
		t.Errorf("kubectl from outside: %v\n%s", err, out)
	}

	run("down").want(t, 0, "The lab is down.")
	left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	client := &http.Client{Timeout: time.Second}
	if answer, err := client.Get(url); err == nil {
		answer.Body.Close()
		t.Error("the forwarded port still answers")
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestKilledLab: a lab whose holder was killed takes all its processes with it,
// and does not stand in the way of the next.
func TestKilledLab(t *testing.T) {
	t.Parallel()
	binary, dir := program(t), filepath.Join(t.TempDir(), "lab")
	t.Cleanup(func() { labRun(context.WithoutCancel(t.Context()), t, binary, dir, "down") })
	labRun(t.Context(), t, binary, dir, "up").want(t, 0, "The lab is up, after")
	holder := regexp.MustCompile(`"holder": (\d+)`).FindStringSubmatch(readFile(t, filepath.Join(dir, "ready.json")))
	if out, err := exec.CommandContext(t.Context(), "kill", "-KILL", holder[1]).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for labRun(t.Context(), t, binary, dir, "exec", "--", "true").code == 0 {
		runtime.Gosched() // the signal is on its way
	}
	labRun(t.Context(), t, binary, dir, "up").want(t, 0, "The lab is up, after")
	labRun(t.Context(), t, binary, dir, "exec", "--", "kubectl", "get", "nodes").want(t, 0, "node-a")
	labRun(t.Context(), t, binary, dir, "down").want(t, 0, "The lab is down.")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWrongInput(t *testing.T) {
	t.Parallel()
	binary := program(t)
	for _, tt := range []struct {
		name    string
		args    []string
		code    int
		message string
	}{
		{"a command that there is not", []string{"start"}, 1, `landbridge-lab: unknown command "start" for "landbridge-lab"`},
		{"exec without a command", []string{"exec"}, 1, `exec needs a command: landbridge-lab exec -- kubectl get services`},
		{"exec while it is not up", []string{"exec", "--", "ls"}, 1, "the lab is not up; `landbridge-lab up` starts it"},
		{"an argument too many", []string{"up", "now"}, 1, `unknown command "now" for "landbridge-lab up"`},
		{"a flag that there is not", []string{"story", "--fast"}, 1, `unknown flag: --fast`},
		{"a flag of the simulator that there is not", []string{"bigip", "--nodes", "3"}, 1, `-nodes`},
		{"help", []string{"--help"}, 0, `(?s)story.*up.*exec.*down.*bigip|bigip.*down.*exec.*story.*up`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			labRun(t.Context(), t, binary, filepath.Join(t.TempDir(), "lab"), tt.args...).want(t, tt.code, tt.message)
		})
	}
}
