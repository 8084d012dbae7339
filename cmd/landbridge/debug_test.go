package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestDebugListensOnLoopbackAlone(t *testing.T) {
	t.Parallel()
	for _, address := range []string{":6060", "0.0.0.0:6060", "192.0.2.1:6060", "localhost:6060", "127.0.0.1"} {
		if _, err := listenDebug(address, zap.NewAtomicLevel()); err == nil {
			t.Errorf("%s is listened on", address)
		}
	}
}

func TestDebug(t *testing.T) {
	t.Parallel()
	level := zap.NewAtomicLevel()
	s, err := listenDebug("127.0.0.1:0", level)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.serve() }()
	base := "http://" + s.listener.Addr().String()
	if got := ask(t, http.MethodPut, base+debugPath, `{"level":"debug"}`); got != "200 {\"level\":\"debug\"}\n" || level.Level() != zap.DebugLevel {
		t.Errorf("level %s after %s", level, got)
	}
	if got := ask(t, http.MethodPut, base+debugPath, "level=warn"); got != "200 {\"level\":\"warn\"}\n" || level.Level() != zap.WarnLevel {
		t.Errorf("level %s after %s", level, got)
	}
	level.SetLevel(zap.DebugLevel)
	if got := ask(t, http.MethodPut, base+debugPath, `{"level":"loud"}`); !strings.HasPrefix(got, "400 ") || level.Level() != zap.DebugLevel {
		t.Errorf("level %s after %s", level, got)
	}
	if got := ask(t, http.MethodGet, base+"/debug/pprof/goroutine?debug=1", ""); !strings.HasPrefix(got, "200 goroutine profile:") {
		t.Errorf("profile: %.60s", got)
	}
	s.close(nil)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// ask is the status and the body of an answer.
func ask(t *testing.T, method, url, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(body, "{") { // as curl -d sends it, and docs/operating.md shows
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status[:4] + string(raw)
}
