package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"landbridge.dev/testenv/world"
)

// What the documentation has people type, which is run as it stands there.
const (
	docsHelm    = "helm upgrade --install landbridge charts/landbridge -n landbridge-system -f values.yaml"
	docsSecret  = "kubectl -n landbridge-system create secret generic landbridge-dc1 --from-literal=username=landbridge --from-literal=password=… --from-file=ca.crt=bigip-ca.pem"
	docsLog     = "kubectl -n landbridge-system logs job/landbridge-config-check"
	docsPlan    = "kubectl -n landbridge-system exec deployment/landbridge -- /landbridge plan --config=/etc/landbridge/config/config.yaml"
	docsRelease = "kubectl -n landbridge-system exec deployment/landbridge -- /landbridge release shop/web --keep --yes --config=/etc/landbridge/config/config.yaml"
	docsAllow   = "kubectl -n landbridge-system exec deployment/landbridge -- /landbridge allow 0123456789ab"
	docsForward = "kubectl -n landbridge-system port-forward deployment/landbridge 6060 &"
	docsLevel   = "curl -X PUT -d level=debug http://127.0.0.1:6060/log-level"
)

// desk is the folder in which somebody sits who follows the documentation.
func (e *endToEnd) desk() string { return filepath.Join(e.world.Dir(), "desk") }

// furnish puts there what the documentation takes for granted: the chart, the
// device's CA, and the programs in the PATH.
func (e *endToEnd) furnish() error {
	landbridge, err := world.Binary()
	if err != nil {
		return err
	}
	charts, err := filepath.Abs("charts")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(e.desk(), "bin"), 0o755); err != nil {
		return err
	}
	for name, there := range map[string]string{
		"charts":                 charts,
		"values.yaml":            e.values(),
		"bigip-ca.pem":           filepath.Join(e.world.Dir(), "ca.crt"),
		"bin/helm":               e.binaries.Helm,
		"bin/kubectl":            e.world.Kube.Binaries().Kubectl,
		"bin/kubectl-landbridge": landbridge,
	} {
		if err := os.Symlink(there, filepath.Join(e.desk(), name)); err != nil {
			return err
		}
	}
	return nil
}

// asWritten runs a command of a page of the documentation, which has to hold it
// word for word. Words of it may be replaced: in pairs, old and new.
func (e *endToEnd) asWritten(ctx context.Context, page, command string, replaced ...string) (string, error) {
	text, err := os.ReadFile(filepath.Join("docs", page))
	if err != nil {
		return "", err
	}
	onePerLine := strings.Join(strings.Fields(strings.ReplaceAll(string(text), "\\\n", "")), " ")
	if !strings.Contains(onePerLine, command) {
		return "", fmt.Errorf("docs/%s does not have people type %q", page, command)
	}
	out, err := e.typed(ctx, strings.NewReplacer(replaced...).Replace(command))
	if err == nil {
		e.said("typed", command+"    (docs/"+page+")")
	}
	return out, err
}

// typed runs a line of a shell at the desk.
func (e *endToEnd) typed(ctx context.Context, line string) (string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = e.desk()
	cmd.Env = append(e.helmEnv(), "PATH="+filepath.Join(e.desk(), "bin")+":"+os.Getenv("PATH"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		command, _, _ := strings.Cut(line, " --from-literal") // what follows may be a secret
		return stdout.String(), fmt.Errorf("%s: %w\n%s%s", command, err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// withoutSecret tries to install the release without the Secret that it refers to.
func (e *endToEnd) withoutSecret(ctx context.Context) error {
	if _, err := e.asWritten(ctx, "install.md", docsHelm); err == nil {
		return errors.New("without its Secret the release was installed")
	}
	log, err := e.asWritten(ctx, "install.md", docsLog)
	if err != nil {
		return err
	}
	if !strings.Contains(log, "there is no Secret landbridge-system/landbridge-dc1") {
		return fmt.Errorf("the check does not name the Secret that is missing:\n%s", log)
	}
	made, err := e.kubectl(ctx, "get", "deployments,services", "-n", releaseNamespace, "-o", "name")
	if err != nil {
		return err
	}
	if made != "" {
		return fmt.Errorf("without its Secret the release made %s", made)
	}
	e.said("check", log)
	e.checked("without the Secret nothing is installed, and the check names it")
	_, err = e.asWritten(ctx, "install.md", docsSecret,
		"username=landbridge", "username="+writer, "password=…", "password='"+password(writer)+"'")
	return err
}

// documented runs what the documentation has people type who operate it.
func (e *endToEnd) documented(ctx context.Context) error {
	for _, d := range []struct{ page, command, want string }{
		{"install.md", docsPlan, "nothing to change"},
		{"operating.md", "kubectl landbridge status -n shop", "shop/web "},
		{"operating.md", "kubectl landbridge status shop/web", "Programmed=True"},
		{"operating.md", "kubectl landbridge plan -n shop", "nothing to change"},
		{"operating.md", "kubectl landbridge wait shop/web", "shop/web"},
		{"runbooks.md", "kubectl -n landbridge-system get lease landbridge -o yaml", "holderIdentity: landbridge-"},
		{"runbooks.md", "kubectl -n landbridge-system get pods", "Running"},
		{"operating.md", docsAllow, "plan 0123456789ab is allowed until"},
	} {
		out, err := e.asWritten(ctx, d.page, d.command)
		if err != nil {
			return err
		}
		if !strings.Contains(out, d.want) {
			return fmt.Errorf("%s says\n%s, want %q in it", d.command, out, d.want)
		}
	}
	return e.louder(ctx)
}

// louder changes the level of a controller's log while it runs, by a port that is
// forwarded to the pod.
func (e *endToEnd) louder(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var why error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, why = e.asWritten(ctx, "operating.md", docsForward, " &", "")
	}()
	defer func() {
		cancel()
		<-ended
	}()
	if err := e.await(ctx, "the forwarded port", func(ctx context.Context) (bool, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:6060")
		if err != nil {
			select {
			case <-ended:
				return false, why
			default:
				return false, nil
			}
		}
		return true, c.Close()
	}); err != nil {
		return err
	}
	level, err := e.asWritten(ctx, "operating.md", docsLevel)
	if err != nil {
		return err
	}
	if !strings.Contains(level, `"debug"`) {
		return fmt.Errorf("the level of the log is %s, want debug", level)
	}
	e.checked("what the documentation has people type was typed, and answered as it says")
	return nil
}
