package charts_test

import (
	"strings"
	"testing"
)

// Bad values are refused with the path of what is wrong.
func TestBadValues(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ values, want string }{
		{`{}`, "config.cluster is empty"},
		{`{replicas: 2}`, "additional properties 'replicas' not allowed"},
		{`{config: {cluster: a}, controller: {replica: 2}}`, "additional properties 'replica' not allowed"},
		{`{config: {cluster: a}, controller: {replicas: 0}}`, "/controller/replicas"},
		{`{config: {cluster: a}, controller: {port: 80}}`, "/controller/port"},
		{`{config: {cluster: a}, controller: {logLevel: verbose}}`, "/controller/logLevel"},
		{`{config: {cluster: a}, controller: {extraArgs: [v=5]}}`, "/controller/extraArgs/0"},
		{`{config: {cluster: a, kind: Config}}`, "additional properties 'kind' not allowed"},
		{`{config: {cluster: a, bigip: [{host: https://a}]}}`, "additional properties 'host' not allowed"},
		{`{config: {cluster: a, classes: {public: {moniter: tcp}}}}`, "invalid propertyName 'moniter'"},
		{`{config: {cluster: a}, image: {digest: latest}}`, "/image/digest"},
		{`{config: {cluster: a}, secrets: {config: {secretName: x}}}`, "invalid propertyName 'config'"},
		{`{config: {cluster: a}, secrets: {dc1: {name: x}}}`, "/secrets/dc1"},
		{`{config: {cluster: a}, secrets: {dc1: {secretName: x, mountIn: [agent]}}}`, "/secrets/dc1/mountIn/0"},
		{`{config: {cluster: a}, gateway: {enabled: true}}`, "gateway.enabled needs config.mq"},
		{`{config: {cluster: a}, gateway: {terminationGracePeriodSeconds: 5}}`, "/gateway/terminationGracePeriodSeconds"},
		{`{config: {cluster: a}, admissionPolicy: {actions: [Refuse]}}`, "/admissionPolicy/actions/0"},
		{`{config: {cluster: a}, uninstall: {release: delete}}`, "/uninstall/release"},
		{`{config: {cluster: a}, tracing: {endpoint: collector:4318}}`, "/tracing/endpoint"},
		{`{config: {cluster: a}, tracing: {endpoint: http://collector:4318, env: [{name: HOME, value: /}]}}`, "/tracing/env/0/name"},
		{`{config: {cluster: a}, monitoring: {alerts: true}}`, "additional properties 'alerts' not allowed"},
	} {
		_, err := render(parse(t, test.values))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.values, err, test.want)
		}
	}
}
