package bigip_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"landbridge.dev/testenv/bigip"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	socket := filepath.Join(t.TempDir(), "control")
	begin := time.Now()
	go func() {
		done <- bigip.Command(ctx, []string{
			"--listen", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--partition", "web", "--partition", "shop", "--tmos", "17.1.0",
			"--fault", "do=busy,count=1", "--control", "127.0.0.1:0", "--ca-out", socket + ".pem", "--quiet",
		}, w, io.Discard)
		w.Close()
	}()
	lines := map[string]string{}
	sc := bufio.NewScanner(r)
	for sc.Scan() && sc.Text() != "ready" {
		name, value, _ := strings.Cut(sc.Text(), " ")
		lines[name] = value
	}
	t.Logf("ready after %v", time.Since(begin))
	if !strings.Contains(lines["unit1"], "TMOS 17.1.0 active") || !strings.Contains(lines["unit2"], "standby") || lines["partitions"] != "Common web shop" {
		t.Errorf("printed %v", lines)
	}
	resp, err := http.Post("http://"+lines["control"]+"/units/1/failover", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(body), "standby") {
		t.Errorf("control: %s", body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCommandRefusesFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--data-plane", "maybe"}, {"--fault", "do=fly"}, {"--cert", "x"}, {"surplus"}, {"--nope"},
		{"--tmos", "9.0"}, {"--tmos", "new"}, {"--tmms", "0"}, {"--max-clients", "-1"},
	} {
		if err := bigip.Command(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	if err := bigip.Command(t.Context(), []string{"--help"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help: %v", err)
	}
}
