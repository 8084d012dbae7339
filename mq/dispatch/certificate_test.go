package dispatch_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	mqbroker "landbridge.dev/mq/broker"
	"landbridge.dev/mq/dispatch"
	"landbridge.dev/mq/manage"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/broker/scene"
)

// A gateway logs in with its certificate, over TLS, and trusts the broker's CA
// alone. The management API, which takes no certificate, is asked by a user of
// its own, who may see and nothing else: so a share is kept to.
func TestCertificateInsteadOfPassword(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	user, watcher := "by-certificate", "watcher"
	s.Must(node.AddUser(t.Context(), user, "", ""))
	s.Must(node.Grant(t.Context(), user, s.Vhost, scene.Rights(`orders\..*`, `shop\..*`)))
	s.Must(node.AddUser(t.Context(), watcher, "secret", "monitoring"))
	s.Must(node.Grant(t.Context(), watcher, s.Vhost, broker.Rights{Configure: "^$", Write: "^$", Read: "^$"}))
	cert, key, err := node.Certificate(user)
	s.Must(err)
	s.MQ.URLs, s.MQ.CredentialsDir, s.MQ.ManagementCredentialsDir = []string{node.TLSURL()}, "", t.TempDir()
	s.MQ.CAFile, s.MQ.CertFile, s.MQ.KeyFile = node.CA(), cert, key
	for name, text := range map[string]string{"username": watcher, "password": "secret"} {
		s.Must(os.WriteFile(filepath.Join(s.MQ.ManagementCredentialsDir, name), []byte(text), 0o600))
	}
	p := newPod(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 {
			w.WriteHeader(500) // a copy is published by certificate, too
		}
	})
	s.Publish("orders.work", amqp.Publishing{MessageId: "m1"})
	c := consumer(s, p)
	c.PodShare = 50 // of which nothing is taken while nobody knows who else consumes
	rates := watchRates(t, s)
	rates.Watch(ref, c)
	start(s, func(o *dispatch.Options) { o.Rates = rates }).Set(ref, c)
	s.Eventually("it has its effect", func() bool { return p.keys()["m1"] == 2 })

	until := map[string]time.Time{}
	dialer := newDialer(s)
	dialer.Presented = func(unit string, c *x509.Certificate) { until[unit] = c.NotAfter }
	_, closes, err := dialer.Open(t.Context(), s.Vhost, "consume")
	s.Must(err)
	closes()
	if at := until[node.TLSURL()]; len(until) != 1 || at.Before(time.Now()) {
		t.Errorf("told of certificates good until %v, want that of %s", until, node.TLSURL())
	}

	wrong := filepath.Join(t.TempDir(), "ca.crt")
	raw, err := os.ReadFile(cert)
	s.Must(err)
	s.Must(os.WriteFile(wrong, raw, 0o600))
	s.MQ.CAFile = wrong
	if _, closes, err := newDialer(s).Open(t.Context(), s.Vhost, "consume"); err == nil || !strings.Contains(err.Error(), "certificate") {
		if closes != nil {
			closes()
		}
		t.Errorf("with another CA: %v", err)
	}
}

// watchRates looks at the broker while the test runs.
func watchRates(t *testing.T, s *scene.Scene) *manage.Watcher {
	t.Helper()
	client, err := manage.NewClient(s.MQ)
	s.Must(err)
	w := manage.NewWatcher(client, mqbroker.Names{Cluster: scene.Cluster}, 100*time.Millisecond, nil)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = w.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return w
}
