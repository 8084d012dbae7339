package manage_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"landbridge.dev/config"
	"landbridge.dev/mq/manage"
)

// A client tells of the certificate that a node presents.
func TestPresentedCertificate(t *testing.T) {
	t.Parallel()
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer api.Close()
	dir := t.TempDir()
	mq := config.MQ{ManagementURLs: []string{api.URL + "/"}, CredentialsDir: dir, CAFile: filepath.Join(dir, "ca.crt")}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	for name, content := range map[string][]byte{"username": []byte("u"), "password": []byte("p"), "ca.crt": ca} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client, err := manage.NewClient(mq)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	until := map[string]time.Time{}
	client.Presented = func(unit string, c *x509.Certificate) { until[unit] = c.NotAfter }
	if _, err := client.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := api.Certificate().NotAfter; len(until) != 1 || !until[api.URL].Equal(want) {
		t.Errorf("told of %v, want %s until %v", until, api.URL, want)
	}
}
