package config_test

import (
	"slices"
	"testing"

	"landbridge.dev/config"
)

func TestGrantsOfQueues(t *testing.T) {
	t.Parallel()
	tenant := config.Tenant{Consume: []string{"orders.*", "billing:in[1]voices", "/:a:b", "st*r"}}
	for _, test := range []struct {
		vhost, queue string
		want         bool
	}{
		{"/", "orders.work", true},
		{"/", "orders.", true},
		{"/", "xorders.work", false}, // anchored at both ends
		{"/", "ordersXwork", false},  // a dot is a dot
		{"/", "orders.a/b", false},   // a star stops at a slash
		{"billing", "orders.work", false},
		{"billing", "in[1]voices", true},
		{"billing", "in1voices", false}, // brackets are brackets
		{"/", "a:b", true},
		{"/", "stxxr", true},
		{"/", "str\n", false},
	} {
		if got := tenant.GrantsConsume(test.vhost, test.queue); got != test.want {
			t.Errorf("%s:%q granted: %t", test.vhost, test.queue, got)
		}
	}
}

func TestGrantsOfExchanges(t *testing.T) {
	t.Parallel()
	tenant := config.Tenant{Publish: []string{"orders/new.*", "billing:invoices/*", "*/any", "/replies.*"}}
	for _, test := range []struct {
		vhost, exchange, key string
		want                 bool
	}{
		{"/", "orders", "new.eu", true},
		{"/", "orders", "old.eu", false},
		{"/", "orders2", "new.eu", false},
		{"billing", "orders", "new.eu", false},
		{"billing", "invoices", "", true},
		{"/", "x", "any", true},
		{"/", "", "any", false}, // the default exchange has to be written
		{"/", "", "replies.7", true},
		{"/", "replies", "replies.7", false},
	} {
		if got := tenant.GrantsPublish(test.vhost, test.exchange, test.key); got != test.want {
			t.Errorf("%s:%s/%s granted: %t", test.vhost, test.exchange, test.key, got)
		}
	}
}

// The vhost of VMs is one of the tenants' where an entry has users for them.
func TestVhosts(t *testing.T) {
	t.Parallel()
	c := &config.Config{MQ: &config.MQ{VMVhost: "vms"}, Tenants: []config.Tenant{{Consume: []string{"billing:work", "orders"}}}}
	if got, want := c.Vhosts(), []string{"/", "billing"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	c.Tenants = append(c.Tenants, config.Tenant{VMUsers: []string{"orders-vm"}})
	if got, want := c.Vhosts(), []string{"/", "billing", "vms"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
