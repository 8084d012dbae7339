package world

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// configuration is what landbridge is given unless a file is there already.
const configuration = `apiVersion: landbridge.dev/v1
kind: Config
cluster: $CLUSTER
bigip:
  - name: dc1
    hosts: [$BIGIP]
    credentialsDir: $DIR/credentials
    caFile: $DIR/ca.crt
addressPools:
  - name: public
    ranges: [$VIPS, '$VIPS6']
tenants:
  - namespaces: [shop]
    partitions: [web]
    addressPools: [public]
`

// Vars are what the files of a world may refer to as $NAME: where things are
// in this world.
func (w *World) Vars() map[string]string {
	a := w.Addresses
	if w.beside != nil {
		a = w.beside.Addresses
	}
	vars := map[string]string{
		"DIR": w.dir, "CLUSTER": w.cluster, "UID": w.uid,
		"BIGIP": strings.Join(w.hosts(a), ", "),
		"VIP":   a.VIP4(0).String(), "VIP2": a.VIP4(1).String(), "VIP3": a.VIP4(2).String(),
		"VIP6": a.VIP6(0).String(), "VIP6_2": a.VIP6(1).String(),
		"MQ": "amqp://" + a.Broker().String() + ":5672", "MQ_MANAGEMENT": "http://" + a.Broker().String() + ":15672",
		"TOR_A": a.router(0).String(), "TOR_B": a.router(1).String(),
		"VIPS": a.Virtual4().String(), "VIPS6": a.Virtual6().String(),
		"VMS": w.Addresses.VMs().String(),
	}
	for n, prefix := range w.podNets {
		vars["PODS_"+string(rune('A'+n))] = prefix
	}
	for n := 1; n <= 9; n++ {
		vars[fmt.Sprintf("VM%d", n)] = w.Addresses.VM(n).String()
	}
	return vars
}

// hosts are the URLs of the device's units.
func (w *World) hosts(a *Addresses) []string {
	hosts := make([]string, 0, 2)
	for n := range w.Units() {
		hosts = append(hosts, "https://"+strings.TrimSuffix(a.Management(n), ":443"))
	}
	return hosts
}

// Expand replaces the $NAME of Vars in a text, and leaves all others.
func (w *World) Expand(text string) string {
	vars := w.Vars()
	return os.Expand(text, func(name string) string {
		if value, ok := vars[name]; ok {
			return value
		}
		return "$" + name
	})
}

// Config is the path of landbridge's configuration file.
func (w *World) Config() string { return w.path("landbridge.yaml") }

// Kubeconfig is the path of the kubeconfig with landbridge's rights.
func (w *World) Kubeconfig() string { return w.kubecfg }

// writeFiles writes configuration, password and CA, as far as they are not
// there already.
func (w *World) writeFiles() error {
	if err := os.MkdirAll(w.path("credentials"), 0o755); err != nil {
		return err
	}
	var ca strings.Builder
	for _, unit := range w.Units() {
		ca.Write(unit.CA())
	}
	files := map[string]string{
		"landbridge.yaml":      w.Expand(configuration),
		"ca.crt":               ca.String(),
		"credentials/username": Username + "\n",
		"credentials/password": Password + "\n",
	}
	for name, content := range files {
		f, err := os.OpenFile(w.path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = f.WriteString(content)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}
