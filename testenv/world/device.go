package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/testenv/bigip"
)

// Units are the device's units: both of a pair, otherwise one.
func (w *World) Units() []*bigip.Device {
	if w.Pair != nil {
		return []*bigip.Device{w.Pair.A, w.Pair.B}
	}
	return []*bigip.Device{w.Device}
}

// Active is the unit that carries the traffic, or of a pair where neither does
// the first. What the methods of World say of the device, they say of this one.
func (w *World) Active() *bigip.Device {
	if w.Pair != nil {
		if d := w.Pair.Active(); d != nil {
			return d
		}
	}
	return w.Device
}

// AllWrites is how many changes were asked of all units, by whomever.
func (w *World) AllWrites() int {
	n := 0
	for _, d := range w.Units() {
		n += d.Writes()
	}
	return n
}

// Members describes the members of a pool, one a line, sorted:
//
//	web-1:8080 session=monitor-enabled state=up ratio=1
//
// in the device's words, with the pod's or node's name in place of its address
// where one is known, with its priority group unless that is 0, and with
// "draining", "terminating" and "lent" where landbridge has noted that in the
// description.
func (w *World) Members(ctx context.Context, pool string) ([]string, error) {
	if _, ok := w.Active().Object("ltm/pool", pool); !ok {
		return nil, fmt.Errorf("pool %s is not on the device", pool)
	}
	names, err := w.names(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, path := range w.Active().Objects("ltm/pool/members", pool) {
		m, ok := w.Active().Object("ltm/pool/members", pool+" "+path)
		if !ok {
			continue // gone between
		}
		line := fmt.Sprintf("%s session=%v state=%v ratio=%v", endpoint(m, names), m["session"], m["state"], m["ratio"])
		if p := fmt.Sprint(m["priorityGroup"]); p != "0" {
			line += " priority=" + p
		}
		lines = append(lines, line+noted(m))
	}
	slices.Sort(lines)
	return lines, nil
}

// noted is what the description of a draining member says of it.
func noted(member map[string]any) string {
	note, _ := member["description"].(string)
	said := ""
	if strings.Contains(note, " drain-until=") {
		said += " draining"
	}
	if strings.Contains(note, " terminating=true") {
		said += " terminating"
	}
	if strings.Contains(note, "landbridge-loan ") {
		said += " lent"
	}
	return said
}

// endpoint is a member's "name:port", or its address where no name is known.
func endpoint(member map[string]any, names map[string]string) string {
	name := fmt.Sprint(member["name"])
	address := fmt.Sprint(member["address"])
	port := name[strings.LastIndexAny(name, ":.")+1:]
	if known := names[address]; known != "" {
		return known + ":" + port
	}
	return net.JoinHostPort(address, port)
}

// names are the names of pods and nodes by address: of all that there are, and
// of pods that were there when it was last asked for.
func (w *World) names(ctx context.Context) (map[string]string, error) {
	pods, err := w.Kube.Client().CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	nodes, err := w.Kube.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range pods.Items {
		for _, ip := range p.Status.PodIPs {
			w.pods[ip.IP] = p.Name
		}
	}
	for _, n := range nodes.Items {
		for _, a := range n.Status.Addresses {
			w.pods[a.Address] = n.Name
		}
	}
	names := map[string]string{}
	for address, name := range w.pods {
		names[address] = name
	}
	return names, nil
}

// Virtuals describes the device's virtual servers, one a line, sorted:
//
//	/web/lb_test_shop_web_80 203.0.113.10:80 tcp enabled pool=/web/lb_test_shop_web_80
func (w *World) Virtuals() []string {
	var lines []string
	for _, path := range w.Active().Objects("ltm/virtual", "") {
		v, ok := w.Active().Object("ltm/virtual", path)
		if !ok {
			continue // gone between
		}
		enabled := "enabled"
		if v["disabled"] == true {
			enabled = "disabled"
		}
		destination := fmt.Sprint(v["destination"])
		destination = destination[strings.LastIndexByte(destination, '/')+1:]
		line := fmt.Sprintf("%s %s %v %s", path, destination, v["ipProtocol"], enabled)
		if pool, ok := v["pool"]; ok {
			line += fmt.Sprintf(" pool=%v", pool)
		}
		lines = append(lines, line)
	}
	return lines
}

// kinds are those that landbridge makes on a device.
func kinds() []string {
	return []string{
		"ltm/virtual", "ltm/pool", "ltm/node", "ltm/virtual-address", "ltm/rule", "ltm/data-group/internal", "ltm/persistence/source-addr",
		"ltm/monitor/tcp", "ltm/monitor/udp", "ltm/monitor/http", "ltm/monitor/https",
	}
}

// stock says whether an object comes with the device.
func (w *World) stock(kind, path string) bool {
	o, ok := w.Active().Object(kind, path)
	generation, _ := o["generation"].(int64)
	return ok && generation <= 1 && strings.HasPrefix(path, "/Common/")
}

// Standing lists all that stands on the device of what landbridge makes and of
// the same kinds, as "KIND PATH": virtual servers, pools, members, nodes,
// virtual addresses, and what these refer to, but for what comes with a device.
func (w *World) Standing() []string {
	var lines []string
	for _, kind := range kinds() {
		for _, path := range w.Active().Objects(kind, "") {
			if w.stock(kind, path) {
				continue
			}
			lines = append(lines, kind+" "+path)
			if kind == "ltm/pool" {
				for _, member := range w.Active().Objects("ltm/pool/members", path) {
					lines = append(lines, "ltm/pool/members "+path+" "+member)
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// Snapshot renders objects given as "KIND PATH" (of members "KIND POOL PATH")
// as a GET shows them, as indented JSON. One that is not there is an error.
func (w *World) Snapshot(objects ...string) (string, error) {
	var b strings.Builder
	for _, o := range objects {
		kind, path, _ := strings.Cut(o, " ")
		object, ok := w.Active().Object(kind, path)
		if !ok {
			return "", fmt.Errorf("%s is not on the device", o)
		}
		text, err := json.MarshalIndent(object, "", "  ")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s\n%s\n", o, text)
	}
	return b.String(), nil
}

// Foreign renders, as Snapshot does, every virtual server, pool, member and
// node on the device without an owner tag.
func (w *World) Foreign() (string, error) {
	var foreign []string
	for _, o := range w.Standing() {
		kind, path, _ := strings.Cut(o, " ")
		if object, ok := w.Active().Object(kind, path); ok && kind != "ltm/virtual-address" {
			note, _ := object["description"].(string)
			text, _ := object["apiAnonymous"].(string) // an iRule has no description
			if !strings.Contains(note+text, "landbridge cluster=") {
				foreign = append(foreign, o)
			}
		}
	}
	return w.Snapshot(foreign...)
}

// Bookkeeping are the lines of a Snapshot by which a device counts an object's
// changes, also those that were taken back, and a pool's also those of its
// members; and what its monitors found, which is no setting.
func Bookkeeping() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^  "((generation|lastModifiedTime)": [^\n]*|state": "(checking|up|down)",?)\n`)
}

// Writes describes the changes that were asked of the device, by whomever,
// after the first n of them: "POST /mgmt/tm/ltm/pool 200".
func (w *World) Writes(n int) []string {
	var lines []string
	for _, r := range w.Active().Requests() {
		if isWrite(r) {
			lines = append(lines, fmt.Sprintf("%s %s %d %s", r.Method, r.Path, r.Status, r.Body))
		}
	}
	return lines[min(n, len(lines)):]
}

// isWrite is the rule of bigip.Device.Writes.
func isWrite(r bigip.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && strings.HasPrefix(r.Path, "/mgmt/tm/")
}

// Quiet is how long nothing must come for "no further write" to be believed:
// several times what a change takes from the API server to the device.
const Quiet = 700 * time.Millisecond

// ExactWrites waits until there are n writes after the first mark of them, and
// then for the time quiet that there is none more.
func (w *World) ExactWrites(ctx context.Context, mark, n int, quiet time.Duration) error {
	return w.WritesWithin(ctx, mark, n, n, quiet)
}

// WritesWithin waits until there are least writes after the first mark of
// them, and then until none comes for the time quiet. More than most are an
// error.
func (w *World) WritesWithin(ctx context.Context, mark, least, most int, quiet time.Duration) error {
	if err := w.Active().WaitWrites(ctx, mark+least); err != nil {
		return w.wrongWrites(mark, least)
	}
	for n := least; n <= most; n++ {
		more, cancel := context.WithTimeout(ctx, quiet)
		err := w.Active().WaitWrites(more, mark+n+1)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return ctx.Err()
		}
	}
	return w.wrongWrites(mark, most)
}

// Settle waits until no write has come for the time quiet.
func (w *World) Settle(ctx context.Context, quiet time.Duration) error {
	for {
		err := w.ExactWrites(ctx, w.Active().Writes(), 0, quiet)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

func (w *World) wrongWrites(mark, want int) error {
	got := w.Writes(mark)
	return fmt.Errorf("%d writes came to the device, want %d:\n%s", len(got), want, strings.Join(got, "\n"))
}
