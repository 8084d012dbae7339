package agent

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/config"
	"landbridge.dev/mq/protocol"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	const head = "cluster: prod-1\nmq: {urls: [amqp://mq], credentialsDir: /etc/landbridge/mq}\ninstance: vm-1\n"
	for _, tc := range []struct{ name, text, want string }{
		{"as docs/vms.md has it", head + "register: [{service: shop/orders, ports: [{name: http, port: 8080}], check: {http: \"http://127.0.0.1/x\"}}]\nwant: [{services: [shop/till], file: /run/x.json}]", ""},
		{"nothing", "", "cluster: is empty"},
		{"nothing to do", head, "register: is empty"},
		{"an unknown key", head + "regster: []", `unknown field "regster"`},
		{"two checks", head + "register: [{service: shop/orders, ports: [{port: 80}], check: {tcp: \"a:1\", http: \"http://a/\"}}]", "register[0].check: write one of"},
		{"a lease too long", head + "register: [{service: shop/orders, ports: [{port: 80}], lease: 1h}]", "register[0].lease: must be 3s to 5m0s"},
		{"no namespace", head + "register: [{service: orders, ports: [{port: 80}]}]", "register[0].service"},
		{"no file", head + "want: [{services: [shop/till]}]", "want[0].file: is empty"},
	} {
		path := filepath.Join(t.TempDir(), "agent.yaml")
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestCountOpen(t *testing.T) {
	t.Parallel()
	// Lines as Linux writes them on a little-endian machine, as all are that
	// Landbridge is built for.
	const table = `  sl  local_address rem_address   st tx_queue
   0: 1100140A:1F90 00000000:0000 0A 00000000:00000000
   1: 1100140A:1F90 057100CB:C001 01 00000000:00000000
   2: 1100140A:1F90 057100CB:C002 06 00000000:00000000
   3: 1100140A:1F90 0100007F:C003 01 00000000:00000000
   4: 1100140A:0016 057100CB:C004 01 00000000:00000000
   5: 0000000000000000FFFF00001100140A:1F90 0000000000000000FFFF0000057100CB:C005 01 0:0
rubbish
`
	if n := countOpen(strings.NewReader(table), []netip.AddrPort{netip.MustParseAddrPort("10.20.0.17:8080")}); n != 2 {
		t.Errorf("%d connections are open, want the 2 of clients", n)
	}
}

// A reader never goes back, but for what does not hold any more.
func TestNewestAnnouncementHolds(t *testing.T) {
	t.Parallel()
	f := newFollower(&Agent{config: &Config{Cluster: "prod-1"}, log: zap.NewNop()}, Want{Services: []string{"shop/till"}})
	now := time.Now()
	say := func(epoch, revision int64, service string) protocol.Announcement {
		return protocol.Announcement{V: 1, Cluster: "prod-1", Service: service, Epoch: epoch, Revision: revision, TTLSeconds: 60}
	}
	for _, tc := range []struct {
		name  string
		a     protocol.Announcement
		after time.Duration
		want  bool
	}{
		{"the first", say(2, 5, "shop/till"), 0, true},
		{"of another Service", say(9, 9, "shop/cart"), 0, false},
		{"an older revision", say(2, 4, "shop/till"), 0, false},
		{"an older epoch", say(1, 99, "shop/till"), 0, false},
		{"the same again", say(2, 5, "shop/till"), 0, true},
		{"a newer epoch", say(3, 1, "shop/till"), 0, true},
		{"an older epoch, after the newer has expired", say(1, 1, "shop/till"), 2 * time.Minute, true},
	} {
		if got := f.put(tc.a, now.Add(tc.after)); got != tc.want {
			t.Errorf("%s: taken %v", tc.name, got)
		}
	}
}

// The file is written when its content changes, and the command run then.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, ran, tmpl := filepath.Join(dir, "till.conf"), filepath.Join(dir, "ran"), filepath.Join(dir, "till.tmpl")
	if err := os.WriteFile(tmpl, []byte("{{range .Services}}{{range .Ports}}{{range .Endpoints}}{{if .Ready}}server {{.Address}}:{{.Port}};{{end}}{{end}}{{end}}{{end}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFollower(&Agent{config: &Config{Cluster: "prod-1"}, log: zap.NewNop()}, Want{
		Services: []string{"shop/till"}, File: file, Template: tmpl, Command: []string{"sh", "-c", "echo ran >> " + ran},
	})
	f.write(t.Context())
	if _, err := os.Stat(file); err == nil {
		t.Error("a file is written before anything is known")
	}
	put := func(revision int64, ready bool) {
		f.put(protocol.Announcement{
			V: 1, Cluster: "prod-1", Service: "shop/till", Revision: revision, TTLSeconds: 60,
			Ports: []protocol.AnnouncedPort{{Protocol: "TCP", Port: 80, Endpoints: []protocol.AnnouncedEndpoint{{Address: "10.244.1.5", Port: 8080, Ready: ready}}}},
		}, time.Now())
		f.write(t.Context())
	}
	put(1, true)
	put(2, true)
	text, err := os.ReadFile(file)
	if err != nil || string(text) != "server 10.244.1.5:8080;" {
		t.Errorf("%q, %v", text, err)
	}
	put(3, false)
	if text, err := os.ReadFile(file); err != nil || len(text) != 0 {
		t.Errorf("%q, %v", text, err)
	}
	if text, _ := os.ReadFile(ran); strings.Count(string(text), "ran") != 2 {
		t.Errorf("the command ran: %q", text)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// Who reads a file while it is replaced sees one text or another, all of it.
func TestReplaceIsAtomic(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "till.json")
	texts := []string{strings.Repeat("a", 1<<16), strings.Repeat("b", 1<<17)}
	if err := replace(path, []byte(texts[0])); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reading.Go(func() {
		for ctx.Err() == nil {
			if got, err := os.ReadFile(path); err != nil || !slices.Contains(texts, string(got)) {
				t.Errorf("a reader sees %d bytes, %v", len(got), err)
				return
			}
		}
	})
	for n := range 50 {
		if err := replace(path, []byte(texts[n%2])); err != nil {
			t.Fatal(err)
		}
	}
}

// A check falls after so many failures, and rises with the first success.
func TestCheck(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	status := http.StatusOK
	set := func(s int) {
		mu.Lock()
		defer mu.Unlock()
		status = s
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(status)
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan bool, 16)
	var checking sync.WaitGroup
	checking.Go(func() {
		Check{HTTP: server.URL, Interval: config.Duration(time.Millisecond), Timeout: config.Duration(10 * time.Second), Fall: 3}.run(ctx, func(well bool, _ error) { told <- well })
	})
	if !<-told {
		t.Error("a service that is well is not")
	}
	set(http.StatusFound) // no redirect is followed
	if <-told {
		t.Error("a redirect is well")
	}
	set(http.StatusOK)
	if !<-told {
		t.Error("it does not rise again")
	}
	cancel()
	checking.Wait()

	for _, tc := range []struct {
		c    Check
		well bool
	}{
		{Check{Command: []string{"true"}}, true},
		{Check{Command: []string{"false"}}, false},
		{Check{Command: []string{"/no/such/program"}}, false},
		{Check{TCP: strings.TrimPrefix(server.URL, "http://")}, true},
		{Check{TCP: refusing(t)}, false},
	} {
		tc.c.Timeout = config.Duration(10 * time.Second)
		if err := tc.c.once(t.Context(), server.Client()); (err == nil) != tc.well {
			t.Errorf("%+v: %v", tc.c, err)
		}
	}
}

// refusing is an address that nobody listens at.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
