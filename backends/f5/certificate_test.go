package f5_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/testenv/bigip"
)

// startUntil starts a device whose certificate is good until a time.
func startUntil(t *testing.T, notAfter time.Time) *bigip.Device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-90 * 24 * time.Hour), NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := bigip.Options{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	for file, block := range map[string]*pem.Block{o.CertFile: {Type: "CERTIFICATE", Bytes: der}, o.KeyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return startDevice(t, o)
}

// presented notes the certificates that a Backend is told of.
type presented struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (p *presented) take(unit string, c *x509.Certificate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until[unit] = c.NotAfter
}

func TestPresentedCertificate(t *testing.T) {
	t.Parallel()
	notAfter := time.Now().Add(10 * 24 * time.Hour).Truncate(time.Second)
	for _, test := range []struct {
		name   string
		device *bigip.Device
		change func(*f5.Options)
		taken  bool
		told   bool
	}{
		{"one that verifies", startUntil(t, notAfter), func(*f5.Options) {}, true, true},
		{"any is taken", startUntil(t, notAfter), func(o *f5.Options) { o.RootCAs, o.InsecureSkipVerify = nil, true }, true, false},
		{"of another CA", startUntil(t, notAfter), func(o *f5.Options) { o.RootCAs = nil }, false, false},
		{"one that has expired", startUntil(t, time.Now().Add(-time.Hour)), func(*f5.Options) {}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := &presented{until: map[string]time.Time{}}
			o := optionsFor(test.device)
			o.Presented = seen.take
			test.change(&o)
			if _, err := open(t, o).Read(t.Context(), apply.Scope{}); (err == nil) != test.taken {
				t.Errorf("reading: %v", err)
			}
			seen.mu.Lock()
			defer seen.mu.Unlock()
			if got, told := seen.until[test.device.URL()]; told != test.told || told && !got.Equal(notAfter) {
				t.Errorf("presented until %v, told %t; want %v, %t", got, told, notAfter, test.told)
			}
		})
	}
}

func TestCheckCertificate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	date := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	near, far := now.Add(13*24*time.Hour), now.Add(15*24*time.Hour)
	expect(t, open(t, optionsFor(startUntil(t, near))).Check(t.Context(), needs()), f5.Warning,
		"certificate warning: expires within 14 days, on "+date(near))
	findings := open(t, optionsFor(startUntil(t, far))).Check(t.Context(), needs())
	expect(t, findings, f5.Warning)
	wantLine(t, findings, "certificate ok: good until "+date(far))

	expired := optionsFor(startUntil(t, now.Add(-time.Hour)))
	expect(t, open(t, expired).Check(t.Context(), needs()), f5.Problem, "certificate has expired")
	expired.RootCAs, expired.InsecureSkipVerify = nil, true
	expect(t, open(t, expired).Check(t.Context(), needs()), f5.Warning, "any certificate is taken", "certificate warning: has expired on ")
}

func wantLine(t *testing.T, findings []f5.Finding, want string) {
	t.Helper()
	for _, l := range lines(findings) {
		if l == want {
			return
		}
	}
	t.Errorf("no %q in %q", want, lines(findings))
}

func TestTokenExpiry(t *testing.T) {
	t.Parallel()
	const name = "landbridge_bigip_token_expiry_timestamp_seconds"
	reg := prometheus.NewRegistry()
	now := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { emptyCollection(w) })
	o := f.options()
	o.Metrics, o.Clock = f5.NewMetrics(reg), clock
	b := open(t, o)
	expect := func(when string, want float64) {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := 0.0
		for _, family := range families {
			if family.GetName() == name {
				got = family.GetMetric()[0].GetGauge().GetValue()
			}
		}
		if got != want {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	read := func() {
		t.Helper()
		if _, err := b.Read(t.Context(), apply.Scope{}); err != nil {
			t.Fatal(err)
		}
	}
	expect("before the first login", 0)
	read()
	expect("logged in", 1_800_001_200)
	mu.Lock()
	now = now.Add(1000 * time.Second)
	mu.Unlock()
	read()
	expect("renewed", 1_800_002_200)
	if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n := testutil.CollectAndCount(reg, name); n != 0 {
		t.Errorf("%d tokens are shown after the end", n)
	}
}
