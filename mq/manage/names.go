package manage

import (
	"context"
	"net/url"
	"slices"
	"strings"
)

// Login is whom the management API takes us for.
type Login struct {
	Name string
	Tags []string
	// Version is RabbitMQ's.
	Version string
}

// Login asks who we are. That the user may ask for more than that, which counts
// need, is known by Names.
func (c *Client) Login(ctx context.Context) (Login, error) {
	var who struct {
		Name string   `json:"name"`
		Tags tagNames `json:"tags"`
	}
	if err := c.get(ctx, "/api/whoami", &who); err != nil {
		return Login{}, err
	}
	var overview struct {
		Version string `json:"rabbitmq_version"`
	}
	err := c.get(ctx, "/api/overview", &overview)
	return Login{Name: who.Name, Tags: who.Tags, Version: overview.Version}, err
}

// tagNames are tags: a list, of brokers before 3.9 a text.
type tagNames []string

// UnmarshalJSON reads either.
func (t *tagNames) UnmarshalJSON(b []byte) error {
	for _, tag := range strings.FieldsFunc(string(b), func(r rune) bool { return strings.ContainsRune(`[]", `, r) }) {
		*t = append(*t, tag)
	}
	return nil
}

// Names are the queues and the exchanges of a vhost, sorted.
func (c *Client) Names(ctx context.Context, vhost string) (queues, exchanges []string, err error) {
	for kind, into := range map[string]*[]string{"queues": &queues, "exchanges": &exchanges} {
		var all []struct {
			Name string `json:"name"`
		}
		if err := c.get(ctx, "/api/"+kind+"/"+url.PathEscape(vhost)+"?columns=name", &all); err != nil {
			return nil, nil, err
		}
		for _, n := range all {
			*into = append(*into, n.Name)
		}
		slices.Sort(*into)
	}
	return queues, exchanges, nil
}
