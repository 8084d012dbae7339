package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/manage"
)

// brokerCheck looks at the broker of a configuration.
type brokerCheck struct {
	*checkCommand
	report *checkReport
	conf   *config.Config
	names  broker.Names
	login  manage.Login        // empty where the management API does not say
	told   map[string]struct{} // the nodes whose certificates have been told of
}

// checkBroker looks at each node, and at the rights of the user in each vhost
// that tenants' lists name, that of VMs among them. Rights are tried with calls that cannot succeed.
func (c *checkCommand) checkBroker(ctx context.Context, report *checkReport, conf *config.Config) {
	if conf.MQ == nil {
		return
	}
	b := &brokerCheck{checkCommand: c, report: report, conf: conf, names: broker.Names{Cluster: conf.Cluster}, told: map[string]struct{}{}}
	b.checkManagement(ctx)
	vhosts := conf.Vhosts()
	if len(vhosts) == 0 {
		b.find("", "rights", f5.Warning, "no tenant has consume, publish or vmUsers: nobody may use the broker")
		return
	}
	for _, u := range conf.MQ.URLs {
		b.checkNode(ctx, u, vhosts[0])
	}
	for _, vhost := range vhosts {
		b.checkVhost(ctx, vhost)
		b.checkPolicies(ctx, vhost)
	}
}

func (b *brokerCheck) find(unit, check string, level f5.Level, format string, args ...any) {
	b.report.add("mq", unit, check, level, fmt.Sprintf(format, args...))
}

// open connects to a vhost, at one node or at any.
func (b *brokerCheck) open(ctx context.Context, mq config.MQ, vhost string) (*broker.Session, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	dialer := broker.NewDialer(mq, "landbridge "+b.conf.Cluster+" check")
	dialer.Presented = b.presented
	return dialer.Open(ctx, vhost, broker.RoleControl)
}

// presented tells of a node's certificate, once.
func (b *brokerCheck) presented(node string, c *x509.Certificate) {
	if _, told := b.told[node]; told {
		return
	}
	b.told[node] = struct{}{}
	level, message := f5.Expiry(c.NotAfter, time.Now())
	b.find(node, "certificate", level, "%s", message)
}

func (b *brokerCheck) checkNode(ctx context.Context, url, vhost string) {
	one := *b.conf.MQ
	one.URLs = []string{url}
	session, closes, err := b.open(ctx, one, vhost)
	if err != nil {
		b.find(url, "reach", f5.Problem, "%v", err)
		return
	}
	defer closes()
	b.find(url, "reach", f5.OK, "answers, and takes the user to vhost %s", vhost)
	b.find(url, "version", f5.OK, "%s", session.Version())
	if strings.HasPrefix(url, "amqp:") {
		b.find(url, "tls", f5.Warning, "passwords and messages are on the wire as they are; use amqps")
	}
}

// checkManagement asks who we are.
func (b *brokerCheck) checkManagement(ctx context.Context) {
	if len(b.conf.MQ.ManagementURLs) == 0 {
		b.find("", "management", f5.Warning, "no mq.managementURLs: shares between 1 and 99 take nothing, and no condition tells how a queue stands")
		return
	}
	for _, u := range b.conf.MQ.ManagementURLs {
		one := *b.conf.MQ
		one.ManagementURLs = []string{u}
		client, err := manage.NewClient(one)
		if err != nil {
			b.find(u, "management", f5.Problem, "%v", err)
			continue
		}
		client.Presented = b.presented
		login, err := client.Login(ctx)
		client.Close()
		if err != nil {
			b.find(u, "management", f5.Problem, "%v", err)
			continue
		}
		b.login = login
		b.find(u, "management", f5.OK, "answers, as %s, RabbitMQ %s", login.Name, login.Version)
	}
	switch tags := b.login.Tags; {
	case b.login.Name == "":
	case slices.Contains(tags, "administrator"):
		b.find("", "rights", f5.Warning, "user %s has the tag administrator, and needs no more than monitoring", b.login.Name)
	case !slices.Contains(tags, "monitoring"):
		b.find("", "rights", f5.Problem, "user %s lacks the tag monitoring: consumers and channels of others are not shown to him, by whom shares and conditions go", b.login.Name)
	}
}

// checkVhost tries the rights that docs/queues.md lists.
func (b *brokerCheck) checkVhost(ctx context.Context, vhost string) {
	session, closes, err := b.open(ctx, *b.conf.MQ, vhost)
	if err != nil {
		b.find("", "rights", f5.Problem, "%v", err)
		return
	}
	defer closes()
	queues, exchanges := b.standing(ctx, vhost)
	tried, lacks := 0, 0
	try := func(right, what string, ask func(string) (broker.Right, error), name string) {
		tried++
		switch found, err := ask(name); {
		case err != nil:
			lacks++
			b.find("", "rights", f5.Problem, "vhost %s: whether the user may %s %s is not known: %v", vhost, right, what, err)
		case found == broker.Denied:
			lacks++
			b.find("", "rights", f5.Problem, "vhost %s: the user may not %s %s; see docs/queues.md for the patterns", vhost, right, what)
		}
	}
	own := b.names.Prefix() + "check"
	try("configure", own, session.MayDeclare, own)
	try("read", own, session.MayConsume, own)
	try("write to", own, session.MayPublish, own)
	try("write to", "amq.default", session.MayPublish, "")
	for _, q := range queues {
		try("read", q, session.MayConsume, q)
	}
	for _, x := range exchanges {
		try("write to", x, session.MayPublish, x)
	}
	if lacks == 0 {
		b.find("", "rights", f5.OK, "vhost %s: the user has the %d rights that were tried; queues of tenants: %d, exchanges: %d", vhost, tried, len(queues), len(exchanges))
	}
	if found, err := session.MayDeclare("not of landbridge"); err == nil && found != broker.Denied {
		b.find("", "rights", f5.Warning, "vhost %s: the user may configure queues that are not %s*, which he need not", vhost, b.names.Prefix())
	}
}

// checkPolicies looks for policies of the broker's operators that do harm to
// queues of ours.
func (b *brokerCheck) checkPolicies(ctx context.Context, vhost string) {
	client, err := manage.NewClient(*b.conf.MQ)
	if err != nil || b.login.Name == "" {
		return // which is said elsewhere
	}
	defer client.Close()
	spoilt, err := client.Spoilt(ctx, b.names, vhost)
	if err != nil {
		b.find("", "policies", f5.Problem, "vhost %s: whether a policy acts on queues of ours is not known: %v", vhost, err)
		return
	}
	for _, s := range spoilt {
		b.find("", "policies", f5.Warning, "vhost %s: policy %s sets %s of queue %s: copies in it may be lost, be refused or go elsewhere; have its pattern leave out ^%s",
			vhost, s.Policy, strings.Join(s.Keys, ", "), s.Queue, strings.ReplaceAll(b.names.Prefix(), ".", `\.`))
	}
	if len(spoilt) == 0 {
		b.find("", "policies", f5.OK, "vhost %s: no policy does harm to queues %s*", vhost, b.names.Prefix())
	}
}

// standing are the queues and exchanges of a vhost that tenants may use: those
// that are named, and those that are there and that a * covers.
func (b *brokerCheck) standing(ctx context.Context, vhost string) (queues, exchanges []string) {
	if client, err := manage.NewClient(*b.conf.MQ); err == nil && b.login.Name != "" {
		defer client.Close()
		if queues, exchanges, err = client.Names(ctx, vhost); err != nil {
			b.find("", "management", f5.Problem, "vhost %s: what is there is not known, and patterns with * are not tried: %v", vhost, err)
		}
	}
	for _, t := range b.conf.Tenants {
		q, x := t.NamedOn(vhost)
		queues, exchanges = append(queues, q...), append(exchanges, x...)
	}
	usable := func(names []string, grants func(config.Tenant, string) bool) []string {
		slices.Sort(names)
		return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
			return name == "" || !slices.ContainsFunc(b.conf.Tenants, func(t config.Tenant) bool { return grants(t, name) })
		})
	}
	return usable(queues, func(t config.Tenant, q string) bool { return !config.ReservedName(q) && t.GrantsConsume(vhost, q) }),
		usable(exchanges, func(t config.Tenant, x string) bool { return t.GrantsExchange(vhost, x) })
}
