package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"landbridge.dev/testenv/world"
)

// configuration is what the platform team writes. $USER is the folder with the
// name and password of a user of the device.
const configuration = `apiVersion: landbridge.dev/v1
kind: Config
cluster: lab
bigip:
  - name: dc1
    hosts: [$BIGIP]
    credentialsDir: $DIR/$USER
    caFile: $DIR/ca.crt
addressPools:
  - {name: public, ranges: [$VIPS, '$VIPS6']}
tenants:
  - namespaces: [shop]
    partitions: [web]
    addressPools: [public]
    joinPools: [/web/cart]      # members of ours may come into it,
    borrow: [/web/cart]         # and its own may be lent to us
    adopt: [/web/search_vs]     # with its pool
`

// The users of the device that the network team makes (docs/bigip-roles.md).
const (
	writer = "lb-lab" // for the controller: manager in web and Common
	reader = "ops"    // for people: guest, which may only read
)

// beginning is the chapter before the first.
func (s *story) beginning() chapter {
	return chapter{"The company", []step{
		{"A Kubernetes cluster with two nodes, a pair of BIG-IPs that others use too", s.company},
	}}
}

// tmms are the traffic processes of a unit, which count turns each by itself.
const tmms = 2

// worldOptions are of the world that the story is played in, and that up leaves
// running.
func worldOptions(dir string) world.Options {
	return world.Options{Dir: dir, Cluster: "lab", Pair: true, TMMs: tmms}
}

func (s *story) company(ctx context.Context) (err error) {
	if s.world, err = world.Start(ctx, worldOptions("")); err != nil {
		return err
	}
	if err := s.setUp(ctx); err != nil {
		return err
	}
	nodes, err := s.kubectl(ctx, "get", "nodes")
	if err != nil {
		return err
	}
	s.said("cluster", nodes)
	for _, unit := range s.world.Units() {
		s.said("bigip", unit.URL()+" is "+unit.FailoverState())
	}
	s.device(ctx)
	if s.foreign, err = s.world.Foreign(); err != nil {
		return err
	}
	return nil
}

// setUp is what the network team and the platform team have done before.
func (s *story) setUp(ctx context.Context) error {
	if err := s.world.Kube.Apply(ctx, []byte(namespace)); err != nil {
		return err
	}
	guest := []any{map[string]any{"name": "all-partitions", "role": "guest"}}
	manager := []any{map[string]any{"name": "web", "role": "manager"}, map[string]any{"name": "Common", "role": "manager"}}
	legacy := "/web/" + s.world.Addresses.VIP4(1).String() + ":80"
	for _, o := range []struct {
		path string
		body map[string]any
	}{
		{"auth/user", map[string]any{"name": reader, "password": password(reader), "partitionAccess": guest}},
		{"auth/user", map[string]any{"name": writer, "password": password(writer), "partitionAccess": manager}},
		{"ltm/node", map[string]any{"name": "legacy-host", "partition": "Common", "address": "10.20.0.5", "description": "rack 4, unit 12"}},
		{"ltm/pool", map[string]any{"name": "legacy", "partition": "web", "members": []any{map[string]any{"name": "/Common/legacy-host:8080"}}}},
		{"ltm/virtual", map[string]any{"name": "legacy", "partition": "web", "ipProtocol": "tcp", "pool": "/web/legacy", "destination": legacy}},
	} {
		if err := s.networkTeam(o.path, o.body); err != nil {
			return err
		}
	}
	for _, m := range []*migration{s.cart, s.search} {
		if err := m.stand(ctx); err != nil {
			return err
		}
	}
	return s.configured()
}

// configured writes the configuration, for the controller and for people.
func (s *story) configured() error {
	for file, user := range map[string]string{s.world.Config(): writer, s.readers(): reader} {
		dir := filepath.Join(s.world.Dir(), user)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for name, text := range map[string]string{
			file:                           s.world.Expand(strings.ReplaceAll(configuration, "$USER", user)),
			filepath.Join(dir, "username"): user,
			filepath.Join(dir, "password"): password(user),
		} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// reconfigure changes the configuration, for the controller and for people. A
// controller takes a new section up when it starts, all else while it runs.
func (s *story) reconfigure(change func(text string) (string, error)) error {
	for _, path := range []string{s.world.Config(), s.readers()} {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, err := change(string(raw))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// insert puts more before a line of a configuration that is there once.
func insert(text, line, more string) (string, error) {
	if n := strings.Count(text, line); n != 1 {
		return "", fmt.Errorf("there are %d of %q to put something before, want 1", n, line)
	}
	return strings.Replace(text, line, more+line, 1), nil
}

// password is one that nobody outside of the lab needs.
func password(user string) string { return user + " in the lab" }

// readers is the configuration of those who only read.
func (s *story) readers() string { return filepath.Join(s.world.Dir(), reader+".yaml") }

// networkTeam makes an object on the device, as its administrator.
func (s *story) networkTeam(path string, body map[string]any) error {
	if status, answer := s.world.Active().Do(http.MethodPost, "/mgmt/tm/"+path, body); status != http.StatusOK {
		return fmt.Errorf("making the network team's %s %v: status %d: %v", path, body["name"], status, answer["message"])
	}
	return nil
}

// granted has landbridge look whether it has the rights that it needs, and no
// more.
func (s *story) granted(ctx context.Context) error {
	out, err := s.world.Landbridge(ctx, "check", "--config", s.world.Config())
	if err != nil {
		return fmt.Errorf("landbridge check: %w\n%s%s", err, out.Stdout, out.Stderr)
	}
	lines := strings.Split(strings.TrimSpace(out.Stdout), "\n")
	last := lines[len(lines)-1]
	if last != "Problems: 0, warnings: 0." {
		return fmt.Errorf("landbridge check has something to say:\n%s", out.Stdout)
	}
	s.checked("landbridge check finds %d things as they should be, among them the least role on the device that is enough", len(lines)-1)
	return nil
}
