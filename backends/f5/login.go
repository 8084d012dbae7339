package f5

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	bigip "github.com/f5devcentral/go-bigip"
)

const (
	loginURL = "mgmt/shared/authn/login"
	// defaultLifetime is a token's when the device does not say (captured on
	// 16.1.2: 1200 s, from its start and not from its last use).
	defaultLifetime = 20 * time.Minute
	// refusedPause is for how long credentials that were refused are not
	// tried again, so that no user gets locked out.
	refusedPause = 10 * time.Second
)

// token is what a login gave. A device allows 100 of them to a user, and
// answers 400 from then on: so there is one in a process, and it is given
// back at the end.
type token struct {
	value string
	// renewAt is when a new one is asked for while this one still serves.
	renewAt, expires time.Time
}

// logins holds the current token, and lets one caller at a time log in.
type logins struct {
	// gate is a lock that a context can be waited with.
	gate chan struct{}
	// lost is called when the device does not know a token before its time.
	lost func()
	// shows is called with each new token, and with an empty one when there is
	// none any more.
	shows func(token)

	mu      sync.Mutex
	current token
	closed  bool

	// These belong to whoever holds the gate.
	refused      error
	refusedUntil time.Time
	refusedPair  [2]string
}

func newLogins(shows func(token)) *logins {
	return &logins{gate: make(chan struct{}, 1), lost: func() {}, shows: shows}
}

func (l *logins) get() (token, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return token{}, errClosed
	}
	return l.current, nil
}

// put makes t the current token; false when the session was closed meanwhile.
func (l *logins) put(t token) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.current = t
	l.shows(t)
	return true
}

// end closes the session and returns the token that is to be given back.
func (l *logins) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.current.value
	l.current, l.closed = token{}, true
	l.shows(l.current)
	return t
}

// forget drops a token that the device does not know, unless another is there
// already.
func (s *session) forget(value string) {
	l := s.logins
	l.mu.Lock()
	early := l.current.value == value && s.opts.Clock().Before(l.current.expires)
	if l.current.value == value {
		l.current = token{}
		l.shows(l.current)
	}
	l.mu.Unlock()
	if early {
		l.lost()
	}
}

// token is the current token. Without one, or near its end, one caller logs
// in; the others wait for it only when the old one serves no more.
func (s *session) token(ctx context.Context) (string, error) {
	current, err := s.logins.get()
	if err != nil {
		return "", err
	}
	now := s.opts.Clock()
	if current.value != "" && now.Before(current.renewAt) {
		return current.value, nil
	}
	serves := current.value != "" && now.Before(current.expires)
	select {
	case s.logins.gate <- struct{}{}:
	default:
		if serves {
			return current.value, nil
		}
		select {
		case s.logins.gate <- struct{}{}:
		case <-ctx.Done():
			return "", &callError{method: http.MethodPost, path: "/" + loginURL, err: context.Cause(ctx)}
		}
	}
	defer func() { <-s.logins.gate }()
	return s.renew(ctx, serves)
}

// renew logs in, unless another caller did while this one came to the gate. A
// token that still serves is good enough when the login fails.
func (s *session) renew(ctx context.Context, serves bool) (string, error) {
	current, err := s.logins.get()
	if err != nil {
		return "", err
	}
	if current.value != "" && s.opts.Clock().Before(current.renewAt) {
		return current.value, nil
	}
	fresh, err := s.login(ctx)
	if err != nil {
		if serves && current.value != "" {
			return current.value, nil
		}
		return "", err
	}
	if !s.logins.put(fresh) {
		return "", errClosed
	}
	return fresh.value, nil
}

// login asks the device for a token. It is called with the gate held.
func (s *session) login(ctx context.Context) (token, error) {
	user, password, err := s.opts.Credentials()
	if err != nil {
		return token{}, fmt.Errorf("credentials of %s: %w", s.opts.Name, err)
	}
	l := s.logins
	pair := [2]string{user, password}
	start := s.opts.Clock()
	if l.refused != nil && l.refusedPair == pair && start.Before(l.refusedUntil) {
		return token{}, l.refused
	}
	fresh, err := s.askToken(ctx, user, password, start)
	var answer *Error
	refused := errors.As(err, &answer) && !answer.starting() &&
		answer.Status >= http.StatusBadRequest && answer.Status < http.StatusInternalServerError
	switch {
	case refused:
		answer.Message = hide(answer.Message, password)
		err = &loginError{host: s.host, user: user, err: answer}
		l.refused, l.refusedUntil, l.refusedPair = err, start.Add(refusedPause), pair
		s.opts.Metrics.login(s.opts.Name, loginRefused)
	case err != nil:
		s.opts.Metrics.login(s.opts.Name, loginFailed)
	default:
		l.refused, l.refusedPair = nil, [2]string{}
		s.opts.Metrics.login(s.opts.Name, loginOK)
	}
	return fresh, err
}

func (s *session) askToken(ctx context.Context, user, password string, start time.Time) (token, error) {
	body, err := json.Marshal(map[string]string{
		"username": user, "password": password, "loginProviderName": s.opts.LoginProvider,
	})
	if err != nil {
		return token{}, fmt.Errorf("logging in: %w", err)
	}
	req := &bigip.APIRequest{Method: http.MethodPost, URL: loginURL, Body: string(body), ContentType: "application/json"}
	data, err := s.shell(ctx, "", "", req)
	if err != nil {
		return token{}, err
	}
	var answer struct {
		Token struct {
			Token   string `json:"token"`
			Timeout int64  `json:"timeout"` // seconds
		} `json:"token"`
	}
	if err := json.Unmarshal(data, &answer); err != nil || strings.TrimSpace(answer.Token.Token) == "" {
		return token{}, &callError{method: http.MethodPost, path: "/" + loginURL, sent: true, err: errNotObject}
	}
	lifetime := time.Duration(answer.Token.Timeout) * time.Second
	if lifetime <= 0 {
		lifetime = defaultLifetime
	}
	return token{value: answer.Token.Token, renewAt: start.Add(lifetime * 8 / 10), expires: start.Add(lifetime)}, nil
}
