package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"landbridge.dev/config"
	"landbridge.dev/mq/broker"
)

const (
	// DefaultTimeout is how long a caller waits for the broker's confirm.
	DefaultTimeout = 5 * time.Second
	// DefaultBody bounds a message.
	DefaultBody = 1 << 20
	// mostBatch bounds a whole batch.
	mostBatch = 64 << 20
	// window is how many messages of a namespace are on their way at a time.
	window = 256
	// busy is what a caller is told to wait for, in seconds.
	busy = "1"
)

// ErrToken is a token that proves nothing.
var ErrToken = errors.New("the token is not valid for this audience")

// Caller is who calls.
type Caller struct{ Namespace, Account string }

// Options are what a Server is made of.
type Options struct {
	Hub   *broker.Hub
	Names broker.Names
	// Authenticate says whose a token is: ErrToken for nobody's, another
	// error where that cannot be found out now.
	Authenticate func(ctx context.Context, token string) (Caller, error)
	// MayPublish and MayConsume say what the tenants' list allows.
	MayPublish func(c Caller, vhost, exchange, key string) bool
	MayConsume func(c Caller, vhost, queue string) bool
	// Timeout and Body are DefaultTimeout and DefaultBody if they are 0.
	Timeout time.Duration
	Body    int64
	// Held and Reading are DefaultHeld and DefaultReading if they are 0; Held is
	// a few times Body at least.
	Held    int64
	Reading time.Duration
	Log     *zap.Logger
	Metrics *Metrics // may be nil
}

// Server is the API: an http.Handler.
type Server struct {
	Options

	mu         sync.Mutex
	publishers map[place]*broker.Publisher
	callers    map[place]*broker.Caller
	exchanges  map[place]known
	rooms      map[string]*semaphore.Weighted // bytes in hand, of namespaces
	whole      *semaphore.Weighted            // of all
}

// place is something of one namespace in one vhost, or an exchange of it.
type place struct{ namespace, vhost, exchange string }

// known is what was found out about an exchange.
type known struct {
	err error
	at  time.Time
}

// New makes a server.
func New(o Options) *Server {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Body == 0 {
		o.Body = DefaultBody
	}
	if o.Held == 0 {
		o.Held = DefaultHeld
	}
	o.Held = max(o.Held, leastHeld, batchBodies*o.Body)
	if o.Reading == 0 {
		o.Reading = DefaultReading
	}
	return &Server{
		Options: o, rooms: map[string]*semaphore.Weighted{}, whole: semaphore.NewWeighted(fewTimes * o.Held),
		publishers: map[place]*broker.Publisher{}, callers: map[place]*broker.Caller{}, exchanges: map[place]known{},
	}
}

// ServeHTTP serves the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.listener(w).wait() // no longer as long as for the answer before
	do, t, err := s.route(r)
	var c Caller
	if err == nil {
		c, err = s.caller(r)
	}
	if err == nil {
		err = do(w, r, t, c)
	}
	if err != nil {
		due(w, time.Now().Add(lingering))
		s.fail(w, c, err)
	}
}

// Close closes the channels that the server has opened.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.publishers {
		p.Close()
	}
	for _, c := range s.callers {
		c.Close()
	}
}

// refusal is an error with its status.
type refusal struct {
	status int
	code   string // one word
	err    error
}

// Error is the refusal in words.
func (r *refusal) Error() string { return r.err.Error() }

// Unwrap is the cause.
func (r *refusal) Unwrap() error { return r.err }

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status, code, fmt.Errorf(format, args...)}
}

func (s *Server) caller(r *http.Request) (Caller, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return Caller{}, refuse(http.StatusUnauthorized, "unauthenticated", "the request has no token: send that of your ServiceAccount, made for the audience landbridge, as Authorization: Bearer")
	}
	c, err := s.Authenticate(r.Context(), token)
	switch {
	case errors.Is(err, ErrToken):
		return c, refuse(http.StatusUnauthorized, "unauthenticated", "%w: it has to be that of a ServiceAccount, made for the audience landbridge", err)
	case err != nil:
		s.Log.Warn("token not reviewed", zap.Error(err))
		return c, refuse(http.StatusServiceUnavailable, "unavailable", "whose the token is cannot be found out now")
	}
	return c, nil
}

// failure is the body of an answer that is an error.
type failure struct {
	Error   string `json:"error"` // one word
	Message string `json:"message"`
	ID      string `json:"messageId,omitempty"`
}

func (s *Server) fail(w http.ResponseWriter, c Caller, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = refuse(http.StatusInternalServerError, "internal", "something went wrong in the gateway")
		s.Log.Error("request", zap.String("namespace", c.Namespace), zap.Error(err))
	}
	s.Metrics.request(c.Namespace, r.code)
	if r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", busy)
	}
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	s.answer(w, r.status, failure{Error: r.code, Message: r.Error()})
}

func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(s.listener(w)).Encode(body) // who does not listen any more is not told
}

// defaultExchange is how the exchange without a name is written.
const defaultExchange = "amq.default"

// allowed checks that a caller may publish there, and that the exchange exists;
// it returns the exchange's name.
func (s *Server) allowed(ctx context.Context, c Caller, vhost, exchange, key string) (string, error) {
	if exchange == defaultExchange {
		exchange = ""
	}
	switch {
	case len(exchange) > broker.ShortString || len(key) > broker.ShortString || len(vhost) > broker.ShortString:
		return "", refuse(http.StatusBadRequest, "invalid", "exchange and routing key may have %d bytes", broker.ShortString)
	case exchange == "" && key == "":
		return "", refuse(http.StatusBadRequest, "invalid", "the default exchange needs a queue's name for a routing key")
	case strings.HasPrefix(exchange, "landbridge."), exchange == "" && config.ReservedName(key), !s.MayPublish(c, vhost, exchange, key):
		return "", refuse(http.StatusForbidden, "forbidden", "namespace %s may not publish to exchange %q of vhost %s with the key %q: the tenants' list of the configuration does not grant it", c.Namespace, exchange, vhost, key)
	}
	return exchange, s.exists(ctx, vhost, exchange)
}

// How long it is believed that an exchange is there, and that it is not.
const (
	believed    = 30 * time.Second
	disbelieved = time.Second
	// mostKnown bounds the exchanges of which that is kept: their names are
	// the callers' to choose, where a grant has a *.
	mostKnown = 10_000
)

// exists looks an exchange up: a message to one that is missing would close the
// channel, with all that the namespace has in flight there.
func (s *Server) exists(ctx context.Context, vhost, exchange string) error {
	if exchange == "" {
		return nil
	}
	at := place{vhost: vhost, exchange: exchange}
	s.mu.Lock()
	k, found := s.exchanges[at]
	s.mu.Unlock()
	if !found || time.Since(k.at) > believed || (k.err != nil && time.Since(k.at) > disbelieved) {
		session, err := s.Hub.Link(vhost, broker.RoleControl).Session()
		if err != nil {
			session, err = s.await(ctx, vhost, broker.RoleControl)
		}
		if err != nil {
			return err
		}
		k = known{err: session.Exchange(exchange), at: time.Now()}
		if k.err != nil && broker.Code(k.err) != broker.CodeNotFound {
			return refuse(http.StatusServiceUnavailable, "unavailable", "exchange %q was not found out about: %w", exchange, k.err)
		}
		s.mu.Lock()
		if len(s.exchanges) >= mostKnown {
			clear(s.exchanges)
		}
		s.exchanges[at] = k
		s.mu.Unlock()
	}
	if k.err != nil {
		return refuse(http.StatusNotFound, "no-exchange", "vhost %s has no exchange %q", vhost, exchange)
	}
	return nil
}

// await waits a moment for a link, which may just have been made.
func (s *Server) await(ctx context.Context, vhost, role string) (*broker.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, min(s.Timeout, 2*time.Second))
	defer cancel()
	session, err := s.Hub.Link(vhost, role).Await(ctx)
	if err != nil {
		s.Log.Warn("no connection for a publisher", zap.String("vhost", vhost), zap.Error(err))
		return nil, refuse(http.StatusServiceUnavailable, "unavailable", "there is no connection to the broker's vhost %s now; nothing was sent", vhost)
	}
	return session, nil
}

// publisher is that of a namespace in a vhost.
func (s *Server) publisher(c Caller, vhost string) *broker.Publisher {
	at := place{namespace: c.Namespace, vhost: vhost}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.publishers[at]
	if p == nil {
		p = broker.NewPublisher(s.Hub.Link(vhost, broker.RolePublish), window)
		s.publishers[at] = p
	}
	return p
}
