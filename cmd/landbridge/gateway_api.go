package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/config"
	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/publish"
)

// apiFlags say where the API for pods is.
type apiFlags struct {
	listen, cert, key string
	timeout           time.Duration
	body              int64
}

func (a *apiFlags) register(f *pflag.FlagSet) {
	f.StringVar(&a.listen, "api-listen", ":8081", "address of the API for pods that publish; empty for none")
	f.StringVar(&a.cert, "api-cert", "", "certificate (PEM) of that address, read again for each connection; without one it speaks plain HTTP")
	f.StringVar(&a.key, "api-key", "", "key of --api-cert")
	f.DurationVar(&a.timeout, "publish-timeout", publish.DefaultTimeout, "how long a message may take to be confirmed")
	f.Int64Var(&a.body, "max-body", publish.DefaultBody, "bytes that a message may have")
}

// apiServer serves the API.
type apiServer struct {
	listener net.Listener // nil for no API
	server   *http.Server
	api      *publish.Server
	ended    chan struct{}
}

// open listens for the API.
func (a *apiFlags) open(hub *broker.Hub, s *served, tokens *tokens, metrics *publish.Metrics, log *zap.Logger) (*apiServer, error) {
	server := &apiServer{ended: make(chan struct{})}
	if a.listen == "" {
		return server, nil
	}
	if (a.cert == "") != (a.key == "") {
		return nil, errors.New("--api-cert needs --api-key, and --api-key needs --api-cert")
	}
	l, err := net.Listen("tcp", a.listen)
	if err != nil {
		return nil, fmt.Errorf("--api-listen: %w", err)
	}
	if a.cert != "" {
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(a.cert, a.key)
			return &cert, err
		}})
	}
	server.listener = l
	server.api = publish.New(publish.Options{
		Hub: hub, Names: broker.Names{Cluster: s.policy.Load().Cluster}, Authenticate: tokens.review,
		MayPublish: func(c publish.Caller, vhost, exchange, key string) bool {
			return s.granted(c.Namespace, func(t config.Tenant) bool { return t.GrantsPublish(vhost, exchange, key) })
		},
		MayConsume: func(c publish.Caller, vhost, queue string) bool {
			return s.granted(c.Namespace, func(t config.Tenant) bool { return t.GrantsConsume(vhost, queue) })
		},
		Timeout: a.timeout, Body: a.body, Log: log, Metrics: metrics,
	})
	server.server = &http.Server{
		Handler: server.api, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 256 << 10,
		ErrorLog: zap.NewStdLog(log.WithOptions(zap.IncreaseLevel(zap.ErrorLevel))),
	}
	return server, nil
}

func (s *apiServer) serve() error {
	if s.listener == nil {
		<-s.ended
		return nil
	}
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("--api-listen: %w", err)
	}
	return nil
}

// close lets those who publish get their answers.
func (s *apiServer) close(error) {
	close(s.ended)
	if s.listener == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*publish.DefaultTimeout)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		_ = s.server.Close() // what still talks is cut off
	}
	s.api.Close()
}

const (
	// audience is what a token has to be made for.
	audience = "landbridge"
	// How long a review holds, of a good token and of a bad one.
	goodToken, badToken = time.Minute, 5 * time.Second
	mostTokens          = 10_000
	reviewTimeout       = 5 * time.Second
)

// tokens finds out whose tokens are, by the API server's TokenReview.
type tokens struct {
	client kubernetes.Interface

	mu   sync.Mutex
	seen map[[sha256.Size]byte]reviewed
}

type reviewed struct {
	caller publish.Caller
	good   bool
	until  time.Time
}

func newTokens(client kubernetes.Interface) *tokens {
	return &tokens{client: client, seen: map[[sha256.Size]byte]reviewed{}}
}

// review says whose a token is; see publish.Options.
func (t *tokens) review(ctx context.Context, token string) (publish.Caller, error) {
	key := sha256.Sum256([]byte(token))
	t.mu.Lock()
	r, found := t.seen[key]
	t.mu.Unlock()
	if !found || time.Now().After(r.until) {
		var err error
		if r, err = t.ask(ctx, token); err != nil {
			return publish.Caller{}, err
		}
		t.mu.Lock()
		if len(t.seen) >= mostTokens {
			clear(t.seen)
		}
		t.seen[key] = r
		t.mu.Unlock()
	}
	if !r.good {
		return publish.Caller{}, publish.ErrToken
	}
	return r.caller, nil
}

func (t *tokens) ask(ctx context.Context, token string) (reviewed, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	answer, err := t.client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{audience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return reviewed{}, fmt.Errorf("token review: %w", err)
	}
	name, isAccount := strings.CutPrefix(answer.Status.User.Username, "system:serviceaccount:")
	namespace, account, ok := strings.Cut(name, ":")
	if !answer.Status.Authenticated || !slices.Contains(answer.Status.Audiences, audience) || !isAccount || !ok {
		return reviewed{until: time.Now().Add(badToken)}, nil
	}
	return reviewed{caller: publish.Caller{Namespace: namespace, Account: account}, good: true, until: time.Now().Add(goodToken)}, nil
}
