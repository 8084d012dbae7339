package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"landbridge.dev/mq/protocol"
	"landbridge.dev/testenv/app"
	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/world"
)

// newServiceVM is the process of a service on a VM: it answers as pods of the
// lab do, and at /pods asks those that a file of the agent tells of.
func newServiceVM() *cobra.Command {
	var name, listen, file string
	cmd := &cobra.Command{
		Use: "service-vm", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", listen)
			if err != nil {
				return err
			}
			server := &http.Server{Handler: serviceVM(name, file), ReadHeaderTimeout: time.Minute}
			go func() {
				<-cmd.Context().Done()
				_ = server.Close() // who stops a VM has drained it
			}()
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "of the VM")
	cmd.Flags().StringVar(&listen, "listen", "", "its address and port")
	cmd.Flags().StringVar(&file, "file", "", "that its agent writes")
	return cmd
}

func serviceVM(name, file string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", app.New(name, func() bool { return true }))
	mux.HandleFunc("/pods", func(w http.ResponseWriter, r *http.Request) {
		pods, err := podsOf(file)
		for _, pod := range pods {
			if err = errors.Join(err, relay(r.Context(), w, "http://"+pod.String()+"/")); err != nil {
				break
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})
	return mux
}

// podsOf are the ready pods in a file of the agent.
func podsOf(file string) ([]netip.AddrPort, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var content struct{ Services []protocol.Announcement }
	if err := json.Unmarshal(raw, &content); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var pods []netip.AddrPort
	for _, service := range content.Services {
		for _, port := range service.Ports {
			for _, e := range port.Endpoints {
				if e.Kind != "pod" || !e.Ready {
					continue
				}
				at, err := netip.ParseAddrPort(net.JoinHostPort(e.Address, strconv.Itoa(e.Port)))
				if err != nil {
					return nil, fmt.Errorf("%s: %w", file, err)
				}
				pods = append(pods, at)
			}
		}
	}
	return pods, nil
}

// relay asks somebody, and passes the answer on.
func relay(ctx context.Context, w io.Writer, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Close = true
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}

// serviceProcess is a VM with such a process and an agent, seen from the story.
type serviceProcess struct {
	name    string
	host    *netns.Host
	at      netip.AddrPort
	file    string // of the agent
	service *exec.Cmd
	agent   *world.Controller
}

// machineConfig is the configuration of a VM's agent.
const machineConfig = `cluster: lab
mq: {urls: [$MQ], credentialsDir: $DIR/till-vm}
instance: NAME
register:
  - service: shop/till
    ports: [{port: 8080}]
    check: {http: "http://ADDRESS/", interval: 1s}
    lease: 4s
want:
  - {services: [shop/till], file: FILE}
`

// agentFile is the path of a file of a VM's agent.
func (s *story) agentFile(vm, what string) string { return filepath.Join(s.world.Dir(), vm+what) }

// start starts the service and the agent of a VM.
func (p *serviceProcess) start(w *world.World) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	p.service = exec.Command(exe, "service-vm", "--name", p.name, "--listen", p.at.String(), "--file", p.file)
	p.service.Stderr = os.Stderr
	if err := p.host.Start(p.service); err != nil {
		return fmt.Errorf("VM %s: %w", p.name, err)
	}
	p.agent, err = w.StartAgentOn(p.name, p.name, p.name+".yaml")
	return err
}

// kill ends both at once, as a machine's end does.
func (p *serviceProcess) kill() {
	if p.agent != nil {
		p.agent.Kill()
	}
	p.end()
}

// end ends the service, which was drained before or never will be.
func (p *serviceProcess) end() {
	if p.service == nil {
		return
	}
	_ = p.service.Process.Kill() // it may have ended
	_ = p.service.Wait()         // by that signal
	p.service = nil
}
