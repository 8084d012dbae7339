package testenv_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"landbridge.dev/testenv/broker"
	"landbridge.dev/testenv/world"
)

// brokerCommand starts the broker, looks at it, and does to it what others do.
func brokerCommand(ctx context.Context, s *script, args []string) (world.Output, error) {
	if is(args, "start", 0) {
		_, err := s.world.StartBroker(ctx)
		return world.Output{}, err
	}
	n, err := s.world.Broker()
	if err != nil {
		return world.Output{}, err
	}
	switch {
	case is(args, "user", 1):
		return world.Output{}, s.world.AddVMUser(ctx, args[1])
	case is(args, "queue", 1):
		return world.Output{}, n.AddQueue(ctx, "/", args[1], nil)
	case is(args, "classic", 1):
		return world.Output{}, n.AddQueue(ctx, "/", args[1], map[string]any{"x-queue-type": "classic"})
	case is(args, "hold", 2):
		address, err := addressOf(ctx, s, args[2])
		if err != nil {
			return world.Output{}, err
		}
		return world.Output{}, s.world.HoldQueue(args[1], address)
	case is(args, "leave", 1):
		address, err := addressOf(ctx, s, args[1])
		if err != nil {
			return world.Output{}, err
		}
		return world.Output{}, s.world.LeaveQueue(address)
	case is(args, "delete", 1):
		return world.Output{}, n.RemoveQueue(ctx, "/", args[1])
	case is(args, "grant", 3):
		return world.Output{}, n.Grant(ctx, world.BrokerUser, "/", broker.Rights{Configure: args[1], Write: args[2], Read: args[3]})
	case is(args, "policy", 4):
		value, err := strconv.Atoi(args[4])
		if err != nil {
			return world.Output{}, err
		}
		return world.Output{}, n.SetPolicy(ctx, "/", args[1], args[2], map[string]any{args[3]: value})
	case is(args, "send", 3):
		count, err := strconv.Atoi(args[3])
		if err != nil {
			return world.Output{}, err
		}
		return world.Output{}, s.world.SendMessages(ctx, args[1], args[2], count)
	case is(args, "kill", 0):
		if err := n.Settle(ctx); err != nil {
			return world.Output{}, err
		}
		return world.Output{}, n.Kill()
	case is(args, "restart", 0):
		return world.Output{}, n.Start(ctx)
	case is(args, "queues", 0):
		all, err := n.Queues(ctx, "/")
		var out []string
		for _, q := range all {
			out = append(out, fmt.Sprintf("%s ready=%d unacked=%d consumers=%d", q.Name, q.Ready, q.Unacked, q.Consumers))
		}
		return lines(out), err
	}
	return world.Output{}, usage(args)
}

// addressOf is the address of a pod, or of a VM: "vm-1".
func addressOf(ctx context.Context, s *script, name string) (string, error) {
	if n, isVM := strings.CutPrefix(name, "vm-"); isVM {
		number, err := strconv.Atoi(n)
		return s.world.Addresses.VM(number).String(), err
	}
	out, err := s.world.Kubectl(ctx, "get", "pod", name, "--namespace", "shop", "-o", "jsonpath={.status.podIP}")
	return out.Stdout, err
}

// gateway runs gateways in the background.
func gateway(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) == 0 {
		return world.Output{}, usage(args)
	}
	name, flags := named(args[1:])
	if name == "controller" {
		name = "gateway"
	}
	if args[0] == "start" {
		c, err := s.world.StartGateway(name, flags...)
		if err != nil {
			return world.Output{}, err
		}
		return world.Output{}, c.AwaitStandby(ctx)
	}
	c, err := s.world.Controller(name)
	if err != nil {
		return world.Output{}, err
	}
	return controller(ctx, c, args[0])
}

// token writes a token of a ServiceAccount of shop, for the gateway's API, into
// a file of the script.
func token(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) != 2 {
		return world.Output{}, usage(args)
	}
	out, err := s.world.Kubectl(ctx, "create", "token", args[0], "--namespace", "shop", "--audience", "landbridge")
	if err != nil {
		return out, err
	}
	return world.Output{}, os.WriteFile(filepath.Join(s.world.Dir(), args[1]), []byte(out.Stdout), 0o600)
}

// post posts a text to a gateway's API with the token in a file, and prints the
// status and the answer.
func post(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) != 4 {
		return world.Output{}, usage(args)
	}
	c, err := s.world.Controller(args[0])
	if err != nil {
		return world.Output{}, err
	}
	token, err := os.ReadFile(filepath.Join(s.world.Dir(), args[1]))
	if err != nil {
		return world.Output{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.API()+args[2], strings.NewReader(args[3]))
	if err != nil {
		return world.Output{}, err
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return world.Output{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return world.Output{Stdout: fmt.Sprintf("%d %s", resp.StatusCode, body)}, err
}

// queueCondition tells what a Service's condition of queues says.
func queueCondition(ctx context.Context, s *script, args []string) (world.Output, error) {
	return conditionOf(ctx, s, args, "landbridge.dev/Queue")
}
