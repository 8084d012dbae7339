package publish_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"landbridge.dev/config"
	mqbroker "landbridge.dev/mq/broker"
	"landbridge.dev/mq/publish"
	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/broker/scene"
)

// node is the broker of all tests here; each has a vhost of its own.
var node *broker.Node

func TestMain(m *testing.M) {
	scene.Main(m, broker.Options{TLS: true}, func(n *broker.Node) { node = n })
}

// api is a running API, in front of a scene.
type api struct {
	*scene.Scene
	url   string
	vhost string // as it stands in a path
}

// start starts an API that takes "shop" and "till" for the tokens of those
// namespaces. Shop may publish to shop.* and amq.topic and to the queues
// orders.*, till to shop.till alone.
func start(t testing.TB, s *scene.Scene, change ...func(*publish.Options)) *api {
	t.Helper()
	log := zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	hub := mqbroker.NewHub(mqbroker.NewDialer(s.MQ, "landbridge test"), log, nil)
	tenants := map[string]config.Tenant{
		"shop": {Publish: []string{s.Vhost + ":shop.*/*", s.Vhost + ":amq.topic/*", s.Vhost + ":/orders.*"}, Consume: []string{s.Vhost + ":orders.*"}},
		"till": {Publish: []string{s.Vhost + ":shop.till/*"}},
	}
	o := publish.Options{
		Hub: hub, Names: mqbroker.Names{Cluster: scene.Cluster}, Log: log, Timeout: 3 * time.Second,
		Authenticate: func(_ context.Context, token string) (publish.Caller, error) {
			if _, known := tenants[token]; !known {
				return publish.Caller{}, publish.ErrToken
			}
			return publish.Caller{Namespace: token, Account: "default"}, nil
		},
		MayPublish: func(c publish.Caller, vhost, exchange, key string) bool {
			return tenants[c.Namespace].GrantsPublish(vhost, exchange, key)
		},
		MayConsume: func(c publish.Caller, vhost, queue string) bool {
			return tenants[c.Namespace].GrantsConsume(vhost, queue)
		},
	}
	for _, c := range change {
		c(&o)
	}
	server := publish.New(o)
	front := httptest.NewServer(server)
	links, unlink := context.WithCancel(context.WithoutCancel(t.Context()))
	var linking sync.WaitGroup
	linking.Go(func() { _ = hub.Run(links) })
	t.Cleanup(func() {
		front.Close()
		server.Close()
		unlink()
		linking.Wait()
	})
	return &api{Scene: s, url: front.URL, vhost: s.Vhost}
}

// exchange makes an exchange, bound to a queue where one is named.
func (a *api) exchange(name, queue string, arguments map[string]any) {
	a.TB.Helper()
	ctx := a.TB.Context()
	a.Must(node.API(ctx, http.MethodPut, "/api/exchanges/"+a.Vhost+"/"+name, map[string]any{"type": "topic", "durable": true}, nil))
	if queue == "" {
		return
	}
	a.Must(node.AddQueue(ctx, a.Vhost, queue, arguments))
	a.Must(node.API(ctx, http.MethodPost, "/api/bindings/"+a.Vhost+"/e/"+name+"/q/"+queue, map[string]any{"routing_key": "#"}, nil))
}

// connections are the gateway's connections, by their names, which hold the port
// that each came from.
func (a *api) connections() []string {
	a.TB.Helper()
	var names []string
	a.Eventually("the broker shows the gateway's connections", func() bool {
		var all []struct{ Name, User string }
		a.Must(node.API(a.TB.Context(), http.MethodGet, "/api/vhosts/"+a.Vhost+"/connections", nil, &all))
		names = nil
		for _, c := range all {
			if c.User == a.User {
				names = append(names, c.Name)
			}
		}
		slices.Sort(names)
		return len(names) == 2 // to publish, and to look up exchanges
	})
	return names
}

// answered is an answer of the API.
type answered struct {
	status int
	code   string // of its error
	body   string
	header http.Header
}

// call calls the API with a token; headers are "Name: value".
func (a *api) call(token, method, path, body string, headers ...string) answered {
	got, err := a.try(token, method, path, body, headers...)
	a.Must(err)
	return got
}

func (a *api) try(token, method, path, body string, headers ...string) (answered, error) {
	r, err := http.NewRequest(method, a.url+"/v1/vhosts/"+a.vhost+path, strings.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Do(r)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	var failure struct{ Error string }
	_ = json.Unmarshal(bytes.TrimSpace(raw), &failure) // not every body is one
	return answered{resp.StatusCode, failure.Error, string(raw), resp.Header}, err
}
