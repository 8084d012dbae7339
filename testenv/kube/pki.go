package kube

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// keyPair is a certificate or a bare key with its private key, as PEM.
type keyPair struct{ cert, key []byte }

// authority is a throw-away certificate authority. Everything it signs is
// valid for a day.
type authority struct {
	keyPair
	parent *x509.Certificate
	signer crypto.Signer
}

func newAuthority() (*authority, error) {
	signer, key, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &authority{signer: signer}
	a.parent = &x509.Certificate{
		Subject:               pkix.Name{CommonName: "kubernetes-ca"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := a.sign(a.parent, signer.Public())
	if err != nil {
		return nil, err
	}
	a.keyPair = keyPair{cert, key}
	return a, nil
}

// serving makes a server's certificate for addresses and names.
func (a *authority) serving(server string, ips []net.IP, names []string) (keyPair, error) {
	return a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: server},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: ips,
		DNSNames:    names,
	})
}

// client makes a client's certificate; Kubernetes takes the common name for
// the user and the organizations for its groups.
func (a *authority) client(user string, groups ...string) (keyPair, error) {
	return a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (a *authority) issue(template *x509.Certificate) (keyPair, error) {
	signer, key, err := newKey()
	if err != nil {
		return keyPair{}, err
	}
	cert, err := a.sign(template, signer.Public())
	return keyPair{cert, key}, err
}

func (a *authority) sign(template *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(24 * time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, a.parent, public, a.signer)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", template.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// pki is all that the control plane's programs need to trust each other.
type pki struct {
	ca      *authority
	serving keyPair
	admin   keyPair // in system:masters
	// serviceAccounts signs tokens; it has no certificate. The same key,
	// private, serves to verify them.
	serviceAccounts keyPair
}

func newPKI(addrs ...net.IP) (*pki, error) {
	ca, err := newAuthority()
	if err != nil {
		return nil, err
	}
	p := &pki{ca: ca}
	names := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	var errs [3]error
	p.serving, errs[0] = ca.serving("kube-apiserver", addrs, names)
	p.admin, errs[1] = ca.client("admin", "system:masters")
	_, p.serviceAccounts.key, errs[2] = newKey()
	return p, errors.Join(errs[:]...)
}

// write puts the files that flags name into dir.
func (p *pki) write(dir string) error {
	for name, data := range map[string][]byte{
		"ca.crt":        p.ca.cert,
		"apiserver.crt": p.serving.cert,
		"apiserver.key": p.serving.key,
		"sa.key":        p.serviceAccounts.key,
		"admin.crt":     p.admin.cert, // for the API server, who calls kubelets
		"admin.key":     p.admin.key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
