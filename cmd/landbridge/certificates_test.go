package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// What others present is shown as it was last, what we present as the file has
// it now, and nothing of what is not known.
func TestCertificates(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	c := newCertificates(reg)
	file := filepath.Join(t.TempDir(), "tls.crt")
	c.file(ofGateway, file)
	c.file(ofBroker, "")
	expect := func(when string, series ...string) {
		t.Helper()
		want := "\n"
		if len(series) > 0 {
			want = "# HELP landbridge_certificate_expiry_timestamp_seconds Until when a certificate is good, in Unix time: " +
				"what a unit of a device or a node of the broker (mq) presented last, by its URL, or ours, by its file.\n" +
				"# TYPE landbridge_certificate_expiry_timestamp_seconds gauge\n" + strings.Join(series, "\n") + "\n"
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	expect("nothing is known")
	dc1 := c.of("bigip/dc1")
	dc1("https://a", &x509.Certificate{NotAfter: time.Unix(1_800_000_000, 0)})
	expect("presented", `landbridge_certificate_expiry_timestamp_seconds{backend="bigip/dc1",unit="https://a"} 1.8e+09`)
	dc1("https://a", &x509.Certificate{NotAfter: time.Unix(1_900_000_000, 0)})
	renewed := `landbridge_certificate_expiry_timestamp_seconds{backend="bigip/dc1",unit="https://a"} 1.9e+09`
	expect("renewed", renewed)

	server := httptest.NewTLSServer(nil) // its certificate is good until 2084-01-29 16:00:00 UTC
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	content := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})...)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a file", renewed, `landbridge_certificate_expiry_timestamp_seconds{backend="gateway",unit="`+file+`"} 3.6e+09`)
	if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a file without one", renewed)

	var nobody *certificates
	if nobody.of("bigip/dc1") != nil {
		t.Error("nobody wants to be told")
	}
}
