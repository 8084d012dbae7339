package config

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// DefaultVhost is the broker's vhost where none is written.
const DefaultVhost = "/"

// MQ is the broker that services on both sides share.
type MQ struct {
	// URLs are amqp or amqps, of the nodes of one cluster, without user and
	// vhost. They are tried in turn.
	URLs []string `json:"urls"`
	// CredentialsDir holds the files username and password, which are read
	// at each login. Without it the certificate says who we are (SASL
	// EXTERNAL).
	CredentialsDir string `json:"credentialsDir,omitempty"`
	// CAFile is PEM, for amqps and https; without it the system's roots count.
	CAFile string `json:"caFile,omitempty"`
	// CertFile and KeyFile are PEM, the client's certificate; read at each
	// login.
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"` // of certFile
	// ManagementURLs are those of the management API, for counts that AMQP
	// cannot give.
	ManagementURLs []string `json:"managementURLs,omitempty"`
	// ManagementCredentialsDir holds the files username and password for the
	// management API, read for each call; CredentialsDir unless written. It
	// is needed beside SASL EXTERNAL: that API takes no certificate for a
	// user (rabbit_mgmt_util.erl of 3.10 knows Basic and OAuth alone).
	ManagementCredentialsDir string `json:"managementCredentialsDir,omitempty"`
	// VMVhost is the vhost in which VMs register and are told where pods are;
	// DefaultVhost unless written.
	VMVhost string `json:"vmVhost,omitempty"`
}

// ManagementLogin is the folder with the user and the password for the
// management API; "" where there is none.
func (m *MQ) ManagementLogin() string {
	if m.ManagementCredentialsDir != "" {
		return m.ManagementCredentialsDir
	}
	return m.CredentialsDir
}

// QueueName splits "vhost:queue" at the first colon; without one the vhost is
// DefaultVhost.
func QueueName(s string) (vhost, queue string) {
	if vhost, queue, ok := strings.Cut(s, ":"); ok {
		return vhost, queue
	}
	return DefaultVhost, s
}

// GrantsConsume says whether the entry allows a queue to be consumed.
func (t Tenant) GrantsConsume(vhost, queue string) bool {
	for _, grant := range t.Consume {
		v, pattern := QueueName(grant)
		if v == vhost && matches(pattern, queue) {
			return true
		}
	}
	return false
}

// GrantsPublish says whether the entry allows messages to an exchange with a
// routing key. The default exchange, which is "" and leads to every queue, is
// granted by nothing but an entry that begins with "/".
func (t Tenant) GrantsPublish(vhost, exchange, key string) bool {
	for _, grant := range t.Publish {
		v, x, k := publishGrant(grant)
		if v == vhost && (x == "") == (exchange == "") && matches(x, exchange) && matches(k, key) {
			return true
		}
	}
	return false
}

// publishGrant splits "vhost:exchange/key".
func publishGrant(s string) (vhost, exchange, key string) {
	vhost, rest := QueueName(s)
	exchange, key, _ = strings.Cut(rest, "/")
	return vhost, exchange, key
}

// GrantsVMUser says whether the entry allows VMs to register as a user of the
// broker.
func (t Tenant) GrantsVMUser(user string) bool {
	return slices.ContainsFunc(t.VMUsers, func(pattern string) bool { return matches(pattern, user) })
}

// Vhosts are those that tenants' lists name, sorted; that of VMs too where an
// entry has users for them.
func (c *Config) Vhosts() []string {
	var all []string
	for _, t := range c.Tenants {
		for _, grant := range slices.Concat(t.Consume, t.Publish) {
			vhost, _ := QueueName(grant)
			all = append(all, vhost)
		}
		if len(t.VMUsers) > 0 && c.MQ != nil {
			all = append(all, c.MQ.VMVhost)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// GrantsExchange says whether the entry allows messages to an exchange with any
// key at all.
func (t Tenant) GrantsExchange(vhost, exchange string) bool {
	return slices.ContainsFunc(t.Publish, func(grant string) bool {
		v, x, _ := publishGrant(grant)
		return v == vhost && (x == "") == (exchange == "") && matches(x, exchange)
	})
}

// NamedOn are the queues and exchanges of a vhost that the entry names without
// a *.
func (t Tenant) NamedOn(vhost string) (queues, exchanges []string) {
	for _, grant := range t.Consume {
		if v, queue := QueueName(grant); v == vhost && !strings.Contains(queue, "*") {
			queues = append(queues, queue)
		}
	}
	for _, grant := range t.Publish {
		if v, exchange, _ := publishGrant(grant); v == vhost && exchange != "" && !strings.Contains(exchange, "*") {
			exchanges = append(exchanges, exchange)
		}
	}
	return queues, exchanges
}

// matches is a glob on a whole name, in which * stops at /, and . is literal.
// What else path.Match knows is literal here.
func matches(pattern, name string) bool {
	if strings.ContainsAny(pattern, `\?[`) { // rarely: this is asked for every message
		pattern = strings.NewReplacer(`\`, `\\`, "?", `\?`, "[", `\[`).Replace(pattern)
	}
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// mq checks the section of the broker.
func (k *checker) mq(m *MQ) {
	if m == nil {
		return
	}
	if len(m.URLs) == 0 {
		k.bad("mq.urls", "is empty; give the amqps URL of each node")
	}
	for i, u := range m.URLs {
		k.brokerURL(fmt.Sprintf("mq.urls[%d]", i), u, "amqps", "amqp")
	}
	for i, u := range m.ManagementURLs {
		k.brokerURL(fmt.Sprintf("mq.managementURLs[%d]", i), u, "https", "http")
	}
	if (m.CertFile == "") != (m.KeyFile == "") {
		k.bad("mq.certFile", "needs keyFile, and keyFile needs certFile")
	}
	if m.CredentialsDir == "" && m.CertFile == "" {
		k.bad("mq.credentialsDir", "is empty; name the folder with the files username and password, or give certFile and keyFile for SASL EXTERNAL")
	}
	switch {
	case len(m.ManagementURLs) > 0 && m.ManagementLogin() == "":
		k.bad("mq.managementURLs", "need managementCredentialsDir, a folder with the files username and password: the management API takes no certificate for a user")
	case len(m.ManagementURLs) == 0 && m.ManagementCredentialsDir != "":
		k.bad("mq.managementCredentialsDir", "is for managementURLs, and there are none")
	}
}

func (k *checker) brokerURL(path, s, secure, plain string) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != secure && u.Scheme != plain) || u.Hostname() == "" || u.User != nil ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		k.bad(path, "must be %s://HOST or %[1]s://HOST:PORT (or %s), without a user, a password, a vhost or options", secure, plain)
	}
}

// queueGrants checks what a tenant may consume and where it may publish.
func (k *checker) queueGrants(path string, c *Config, t *Tenant) {
	if c.MQ == nil && len(t.Consume)+len(t.Publish) > 0 {
		k.bad(path, "grants queues or exchanges, and there is no section mq")
	}
	for i, grant := range t.Consume {
		at := fmt.Sprintf("%s.consume[%d]", path, i)
		_, queue := QueueName(grant)
		switch {
		case queue == "":
			k.bad(at, "%q must be a queue, or VHOST:QUEUE, in which * may stand for anything but /", grant)
		case ReservedName(queue):
			k.bad(at, "%q is of a name that the broker or Landbridge keeps for itself", grant)
		}
	}
	for i, grant := range t.Publish {
		at := fmt.Sprintf("%s.publish[%d]", path, i)
		_, exchange, key := publishGrant(grant)
		switch {
		case !strings.Contains(grant, "/"):
			k.bad(at, "%q must be EXCHANGE/KEY, or VHOST:EXCHANGE/KEY, in which * may stand for anything but /", grant)
		case strings.HasPrefix(exchange, "landbridge.") || (exchange == "" && (key == "" || ReservedName(key))):
			k.bad(at, "%q is of a name that the broker or Landbridge keeps for itself", grant)
		}
	}
}

// vmUsers checks which users of the broker VMs may register as.
func (k *checker) vmUsers(path string, c *Config, t *Tenant) {
	if c.MQ == nil && len(t.VMUsers) > 0 {
		k.bad(path+".vmUsers", "are users of the broker, and there is no section mq")
	}
	for i, u := range t.VMUsers {
		if u == "" || u == "*" {
			k.bad(fmt.Sprintf("%s.vmUsers[%d]", path, i), "%q must be a user of the broker, in which * may stand for anything but /, and not for all", u)
		}
	}
}

// ReservedName says whether a queue's name is not for tenants: the broker's
// own, and those of Landbridge.
func ReservedName(queue string) bool {
	return strings.HasPrefix(queue, "amq.") || strings.HasPrefix(queue, "landbridge.")
}
