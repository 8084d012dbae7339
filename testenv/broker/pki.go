package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pki is a throw-away certificate authority with the broker's certificate.
// All that it signs is valid for a day.
type pki struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newPKI(dir, address string) (*pki, error) {
	p := &pki{dir: dir}
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: "broker-ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	p.cert = ca
	key, err := p.write("ca", ca)
	if err != nil {
		return nil, err
	}
	p.key = key
	_, err = p.write("server", &x509.Certificate{
		Subject: pkix.Name{CommonName: "broker"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.ParseIP(address)},
	})
	return p, err
}

// write makes a key and its certificate in NAME.crt and NAME.key.
func (p *pki) write(name string, template *x509.Certificate) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer := p.key
	if signer == nil {
		signer = key // the authority itself
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126)); err != nil {
		return nil, err
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, p.cert, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	for ext, block := range map[string]*pem.Block{"crt": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "EC PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(filepath.Join(p.dir, name+"."+ext), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	return key, nil
}

// CA is the path of the certificate authority of a node with TLS.
func (n *Node) CA() string { return n.path("ca.crt") }

// Certificate makes a certificate with which a client is this user, and
// returns the paths of it and of its key.
func (n *Node) Certificate(user string) (cert, key string, err error) {
	_, err = n.pki.write("client-"+user, &x509.Certificate{
		Subject: pkix.Name{CommonName: user}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return "", "", fmt.Errorf("certificate of %s: %w", user, err)
	}
	return n.path("client-" + user + ".crt"), n.path("client-" + user + ".key"), nil
}
