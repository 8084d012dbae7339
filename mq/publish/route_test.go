package publish

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The default vhost is a slash; a key may have one too.
func TestRoute(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	for path, want := range map[string]target{
		"/v1/vhosts/%2F/exchanges/amq.default/orders.work": {vhost: "/", exchange: "amq.default", key: "orders.work"},
		"/v1/vhosts/billing/exchanges/x/":                  {vhost: "billing", exchange: "x"},
		"/v1/vhosts/%2F/rpc/x/a%2Fb%25":                    {vhost: "/", exchange: "x", key: "a/b%"},
		"/v1/vhosts/%2F/batch":                             {vhost: "/"},
		"/v1/vhosts/%2F/dead/a%2Fb/replay":                 {vhost: "/", queue: "a/b"},
	} {
		do, got, err := s.route(httptest.NewRequest(http.MethodPost, path, nil))
		if err != nil || do == nil || got != want {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/vhosts//batch", "/v1/vhosts/%2F/exchanges/x", "/v2/vhosts/%2F/batch", "/v1/vhosts/%2F/dead/q/other"} {
		if _, _, err := s.route(httptest.NewRequest(http.MethodPost, path, nil)); err == nil {
			t.Errorf("%s is something", path)
		}
	}
	if _, _, err := s.route(httptest.NewRequest(http.MethodGet, "/v1/vhosts/%2F/batch", nil)); err == nil {
		t.Error("a batch may be got")
	}
}
