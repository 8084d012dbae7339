package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/config"
)

const (
	// heartbeat is asked for; a silent peer is given up after one and a half
	// of it (amqp091-go, connection.go).
	heartbeat = 4 * time.Second
	// handshake bounds the way from a TCP connection to an open one.
	handshake = 10 * time.Second
	// stuckWrite is how long a single write may wait for the peer to read.
	stuckWrite = 20 * time.Second
)

// Dialer opens connections to the nodes of one broker, in turn. It is safe for
// concurrent use.
type Dialer struct {
	mq   config.MQ
	name string // of this client, as operators see it
	turn atomic.Uint32

	// Presented is told of each certificate that a node, by its URL, has
	// presented and that was taken; nil for nobody. It is set before use.
	Presented func(unit string, c *x509.Certificate)
}

// NewDialer makes a dialer. name is shown to the broker's operators.
func NewDialer(mq config.MQ, name string) *Dialer { return &Dialer{mq: mq, name: name} }

// dial opens one connection. Credentials and certificates are read anew.
func (d *Dialer) dial(ctx context.Context, vhost, role string) (*amqp.Connection, error) {
	url := d.mq.URLs[int(d.turn.Add(1)-1)%len(d.mq.URLs)]
	uri, err := amqp.ParseURI(url)
	if err != nil {
		return nil, fmt.Errorf("broker %s: %w", url, err)
	}
	secure, err := TLS(d.mq)
	if err != nil {
		return nil, err
	}
	auth, err := d.auth()
	if err != nil {
		return nil, err
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(d.name + " " + role)
	secure.ServerName = uri.Host
	if uri.Scheme != "amqps" {
		secure = nil
	}
	uri.Scheme = "amqp" // the library reads what is under TLS, through the sieve
	conn, err := amqp.DialConfig(uri.String(), amqp.Config{
		SASL: []amqp.Authentication{auth}, Vhost: vhost, Heartbeat: heartbeat, Properties: properties,
		Dial: func(network, address string) (net.Conn, error) { return d.open(ctx, url, network, address, secure) },
	})
	if err != nil {
		if conn != nil { // it gives back a half-open one
			_ = conn.CloseDeadline(time.Now().Add(time.Second))
		}
		return nil, fmt.Errorf("broker %s, vhost %s: %w", url, vhost, plain(err))
	}
	return conn, nil
}

// open opens what the library speaks AMQP over; secure is nil for no TLS.
func (d *Dialer) open(ctx context.Context, url, network, address string, secure *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(handshake)); err != nil { // the library lifts it when all is open
		_ = c.Close()
		return nil, err
	}
	c = patientConn{c}
	if secure != nil {
		client := tls.Client(c, secure)
		if err := client.HandshakeContext(ctx); err != nil {
			_ = c.Close()
			return nil, err
		}
		if seen := client.ConnectionState().PeerCertificates; d.Presented != nil {
			d.Presented(url, seen[0])
		}
		c = client
	}
	return newGather(newSieve(c)), nil
}

// patientConn bounds each write: a broker that does not read would otherwise
// hold all who publish, whatever their contexts say.
type patientConn struct{ net.Conn }

func (c patientConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stuckWrite)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// auth is how we log in: with a password, otherwise with the certificate.
func (d *Dialer) auth() (amqp.Authentication, error) {
	if d.mq.CredentialsDir == "" {
		return &amqp.ExternalAuth{}, nil
	}
	user, password, err := Credentials(d.mq.CredentialsDir)
	if err != nil {
		return nil, err
	}
	return &amqp.PlainAuth{Username: user, Password: password}, nil
}

// Credentials reads the user and the password of a broker in a folder.
func Credentials(dir string) (user, password string, err error) {
	for name, into := range map[string]*string{"username": &user, "password": &password} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", "", fmt.Errorf("broker's credentials: %w", err)
		}
		*into = strings.TrimRight(string(raw), "\r\n")
	}
	return user, password, nil
}

// TLS is how the broker and its management API are trusted, and who we are.
func TLS(mq config.MQ) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if mq.CAFile != "" {
		pem, err := os.ReadFile(mq.CAFile)
		if err != nil {
			return nil, fmt.Errorf("broker's CA: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("broker's CA: %s holds no certificate in PEM", mq.CAFile)
		}
	}
	if mq.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(mq.CertFile, mq.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certificate for the broker: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// Error is what a broker said when it refused something.
type Error struct {
	Code int // of AMQP 0-9-1: 404 and the like
	Text string
}

// Error writes the broker's words.
func (e *Error) Error() string { return fmt.Sprintf("the broker says %d %s", e.Code, e.Text) }

// Codes of Error.
const (
	CodeNotFound = amqp.NotFound
	CodeRefused  = amqp.AccessRefused
	CodeLocked   = amqp.ResourceLocked
)

// Code is the broker's code in an error; 0 if it has none.
func Code(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// ErrClosed is a channel or a connection that has closed.
var ErrClosed = amqp.ErrClosed

// plain takes the library's type off an error.
func plain(err error) error {
	var e *amqp.Error
	if errors.As(err, &e) && !errors.Is(err, amqp.ErrClosed) {
		return &Error{Code: e.Code, Text: e.Reason}
	}
	return err
}
