package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"
)

// API is a call of the management API by the administrator. body and answer
// may be nil. A status of 400 and more is an error.
func (n *Node) API(ctx context.Context, method, path string, body, answer any) error {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, n.ManagementURL()+path, content)
	if err != nil {
		return err
	}
	r.SetBasicAuth(Username, Password)
	r.Header.Set("Content-Type", "application/json") // operator policies insist
	resp, err := n.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 400 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, raw)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(raw, answer)
}

// Rights are regular expressions, each for the whole of a name.
type Rights struct {
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// AllRights are those of an administrator of a vhost.
func AllRights() Rights { return Rights{".*", ".*", ".*"} }

// AddVhost makes a vhost in which the administrator has all rights.
func (n *Node) AddVhost(ctx context.Context, vhost string) error {
	if err := n.API(ctx, http.MethodPut, "/api/vhosts/"+url.PathEscape(vhost), struct{}{}, nil); err != nil {
		return err
	}
	return n.Grant(ctx, Username, vhost, AllRights())
}

// RemoveVhost removes a vhost with all that is in it.
func (n *Node) RemoveVhost(ctx context.Context, vhost string) error {
	return n.API(ctx, http.MethodDelete, "/api/vhosts/"+url.PathEscape(vhost), nil, nil)
}

// AddUser makes a user without rights; tags may be empty, or "monitoring". One
// without a password logs in by certificate alone.
func (n *Node) AddUser(ctx context.Context, name, password, tags string) error {
	body := map[string]string{"tags": tags}
	if password == "" {
		body["password_hash"] = ""
	} else {
		body["password"] = password
	}
	return n.API(ctx, http.MethodPut, "/api/users/"+url.PathEscape(name), body, nil)
}

// Grant gives a user rights in a vhost.
func (n *Node) Grant(ctx context.Context, user, vhost string, r Rights) error {
	return n.API(ctx, http.MethodPut, "/api/permissions/"+url.PathEscape(vhost)+"/"+url.PathEscape(user), r, nil)
}

// VMRights are those that VMs need which register with a cluster and follow its
// announcements. docs/vms.md lists them.
func VMRights(cluster string) Rights {
	own := `landbridge\.` + cluster + `\.`
	return Rights{
		Configure: `^amq\.gen-.*$`,
		Write:     `^(amq\.gen-.*|` + own + `(registry|snapshot))$`,
		Read:      `^(amq\.gen-.*|` + own + `endpoints)$`,
	}
}

// AddQueue makes a durable quorum queue, or one with these arguments.
func (n *Node) AddQueue(ctx context.Context, vhost, queue string, arguments map[string]any) error {
	if arguments == nil {
		arguments = map[string]any{"x-queue-type": "quorum"}
	}
	return n.API(ctx, http.MethodPut, queuePath(vhost, queue), map[string]any{"durable": true, "arguments": arguments}, nil)
}

// RemoveQueue deletes a queue with what is in it.
func (n *Node) RemoveQueue(ctx context.Context, vhost, queue string) error {
	return n.API(ctx, http.MethodDelete, queuePath(vhost, queue), nil, nil)
}

// SetPolicy makes a policy for the queues that a pattern matches.
func (n *Node) SetPolicy(ctx context.Context, vhost, name, pattern string, definition map[string]any) error {
	return n.API(ctx, http.MethodPut, "/api/policies/"+url.PathEscape(vhost)+"/"+url.PathEscape(name), map[string]any{
		"pattern": pattern, "apply-to": "queues", "definition": definition,
	}, nil)
}

func queuePath(vhost, queue string) string {
	return "/api/queues/" + url.PathEscape(vhost) + "/" + url.PathEscape(queue)
}

// Queue is what the management API says of a queue. Its counts are up to a
// second old.
type Queue struct {
	Name      string `json:"name"`
	Ready     int    `json:"messages_ready"`
	Unacked   int    `json:"messages_unacknowledged"`
	Consumers int    `json:"consumers"`
}

// Queues are all queues of a vhost.
func (n *Node) Queues(ctx context.Context, vhost string) ([]Queue, error) {
	var all []Queue
	return all, n.API(ctx, http.MethodGet, "/api/queues/"+url.PathEscape(vhost), nil, &all)
}

// CloseConnections closes every connection of a user, as an operator does, and
// says how many there were.
func (n *Node) CloseConnections(ctx context.Context, user string) (int, error) {
	var all []struct{ Name, User string }
	if err := n.API(ctx, http.MethodGet, "/api/connections", nil, &all); err != nil {
		return 0, err
	}
	closed := 0
	for _, c := range all {
		if c.User == user && n.API(ctx, http.MethodDelete, "/api/connections/"+url.PathEscape(c.Name), nil, nil) == nil {
			closed++ // else it has just gone
		}
	}
	return closed, nil
}

// Ctl runs rabbitmqctl on the node; each call takes a second or two.
func (n *Node) Ctl(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin+"rabbitmqctl", append([]string{"-q", "-n", n.o.name}, args...)...)
	cmd.Env = n.env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("rabbitmqctl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Settle returns once every definition made so far (queues, exchanges, users) is
// on disk. RabbitMQ before Khepri keeps definitions in Mnesia, whose log is
// written with a delay of up to 2 s (disk_log's write cache, OTP
// lib/kernel/src/disk_log_1.erl): a SIGKILL before that takes a durable queue
// away that had just been declared, and the confirmed messages in it.
func (n *Node) Settle(ctx context.Context) error {
	_, err := n.Ctl(ctx, "eval", "ok = mnesia:sync_log().")
	return err
}

// MemoryAlarm raises or clears the alarm for memory, which blocks every
// connection that publishes.
func (n *Node) MemoryAlarm(ctx context.Context, on bool) error {
	mark := "1GB"
	if on {
		mark = "1MB"
	}
	_, err := n.Ctl(ctx, "set_vm_memory_high_watermark", "absolute", mark)
	return err
}

// DiskAlarm raises or clears the alarm for disk space.
func (n *Node) DiskAlarm(ctx context.Context, on bool) error {
	limit := "50MB"
	if on {
		limit = "100000GB"
	}
	_, err := n.Ctl(ctx, "set_disk_free_limit", limit)
	return err
}
