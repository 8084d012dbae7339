package manage

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"landbridge.dev/config"
	"landbridge.dev/mq/broker"
)

const (
	callTimeout = 5 * time.Second
	mostBytes   = 64 << 20
)

// Client asks the management API of one broker, at its nodes in turn. It is
// safe for concurrent use.
type Client struct {
	mq   config.MQ
	http *http.Client
	turn atomic.Uint32

	// Presented is told of the certificate that a node, by its URL, has
	// presented and that was taken; nil for nobody. It is set before use.
	Presented func(unit string, c *x509.Certificate)
}

// NewClient makes a client; what it trusts is read here, the credentials anew
// for each call.
func NewClient(mq config.MQ) (*Client, error) {
	secure, err := broker.TLS(mq)
	if err != nil {
		return nil, err
	}
	return &Client{mq: mq, http: &http.Client{Timeout: callTimeout, Transport: &http.Transport{
		TLSClientConfig: secure, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
	}}}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ErrNone is that the configuration has no managementURLs.
var ErrNone = errors.New("the configuration has no mq.managementURLs")

// get asks one node after the other until one answers.
func (c *Client) get(ctx context.Context, path string, answer any) error {
	if len(c.mq.ManagementURLs) == 0 {
		return ErrNone
	}
	user, password, err := broker.Credentials(c.mq.ManagementLogin())
	if err != nil {
		return err
	}
	first := int(c.turn.Load())
	for i := range c.mq.ManagementURLs {
		n := (first + i) % len(c.mq.ManagementURLs)
		base := strings.TrimSuffix(c.mq.ManagementURLs[n], "/")
		if err = c.ask(ctx, base, path, user, password, answer); err == nil {
			c.turn.Store(uint32(n)) // of few
			return nil
		}
	}
	return err
}

func (c *Client) ask(ctx context.Context, base, path, user, password string, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth(user, password)
	resp, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("management API: %w", err)
	}
	defer resp.Body.Close()
	if resp.TLS != nil && c.Presented != nil {
		c.Presented(base, resp.TLS.PeerCertificates[0])
	}
	if resp.StatusCode != http.StatusOK {
		why := ""
		switch resp.StatusCode {
		case http.StatusUnauthorized:
			why = ": the broker's user or password is wrong, or the user lacks the tag monitoring"
		case http.StatusForbidden:
			why = ": the broker's user has no rights in the vhost"
		case http.StatusNotFound:
			why = ": there is no such vhost, or nothing by that name"
		}
		return fmt.Errorf("management API: %s%s", resp.Status, why)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostBytes)).Decode(answer); err != nil {
		return fmt.Errorf("management API: %w", err)
	}
	return nil
}

// maybe is an object of the API, which writes [] for one without content.
type maybe[T any] struct{ is T }

// UnmarshalJSON reads an object, and takes a list for an empty one.
func (m *maybe[T]) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return nil
	}
	return json.Unmarshal(b, &m.is)
}

// rate is a counter of the API.
type rate struct {
	// Average is over lately. The API's own "rate" is of its last two samples,
	// which may be the same: then it is 0 while messages flow.
	Average float64 `json:"avg_rate"`
}

// lately are the seconds over which rates are, and how far apart the API's
// samples are.
const lately = "msg_rates_age=10&msg_rates_incr=5"

// stats are counters of a queue or a channel.
type stats struct {
	Publish maybe[rate] `json:"publish_details"`
	Ack     maybe[rate] `json:"ack_details"`
	NoAck   maybe[rate] `json:"deliver_no_ack_details"`
}

// settled is what was acknowledged, or needed no acknowledgement, a second.
func (s stats) settled() float64 { return s.Ack.is.Average + s.NoAck.is.Average }

// queueAnswer is a queue of the API.
type queueAnswer struct {
	Name    string       `json:"name"`
	Ready   *int         `json:"messages_ready"`
	Unacked *int         `json:"messages_unacknowledged"`
	Head    *int64       `json:"head_message_timestamp"` // in seconds, of classic queues
	Stats   maybe[stats] `json:"message_stats"`
}

// consumerAnswer is a consumer of the API.
type consumerAnswer struct {
	Tag   string `json:"consumer_tag"`
	Queue maybe[struct {
		Name string `json:"name"`
	}] `json:"queue"`
	Channel maybe[struct {
		Name string `json:"name"`
		Peer string `json:"peer_host"`
	}] `json:"channel_details"`
}

// channelAnswer is a channel of the API.
type channelAnswer struct {
	Name  string       `json:"name"`
	Stats maybe[stats] `json:"message_stats"`
}

// connectionAnswer is a connection of the API.
type connectionAnswer struct {
	Client maybe[struct {
		Name string `json:"connection_name"`
	}] `json:"client_properties"`
}

// vhostAnswer is all that is asked of a vhost.
type vhostAnswer struct {
	queues      []queueAnswer
	consumers   []consumerAnswer
	channels    []channelAnswer
	connections []connectionAnswer
}

// vhost asks for all of a vhost.
func (c *Client) vhost(ctx context.Context, name string) (a vhostAnswer, err error) {
	v := url.PathEscape(name)
	for _, q := range []struct {
		path string
		into any
	}{
		{"/api/queues/" + v + "?columns=name,messages_ready,messages_unacknowledged,head_message_timestamp,message_stats&" + lately, &a.queues},
		{"/api/consumers/" + v, &a.consumers},
		{"/api/vhosts/" + v + "/channels?columns=name,message_stats&" + lately, &a.channels},
		{"/api/vhosts/" + v + "/connections?columns=client_properties", &a.connections},
	} {
		if err := c.get(ctx, q.path, q.into); err != nil {
			return a, fmt.Errorf("vhost %s: %w", name, err)
		}
	}
	return a, nil
}
