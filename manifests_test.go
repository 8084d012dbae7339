package landbridge_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/mq/agent"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Every block of YAML in the pages is good: a configuration, or a part of one, as
// the program reads it, an object, or a part, without a field that there is not,
// and its annotations of Landbridge by the checks that the controller makes. The
// tests of the chart have an API server take the objects, and install its values.
func TestDocumentedManifestsAreGood(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range append(pages, "README.md") {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllSubmatch(raw, -1) {
			documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(block[1])))
			for {
				document, err := documents.Read()
				if errors.Is(err, io.EOF) {
					break
				}
				if err == nil {
					err = good(t, document)
				}
				if err != nil {
					t.Errorf("%s: %v:\n%s", page, err, document)
				}
				seen++
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d documents were found", seen)
	}
}

// good says what is wrong with a document.
func good(t *testing.T, document []byte) error {
	t.Helper()
	var about struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &about); err != nil {
		return err
	}
	if about.APIVersion == "" {
		return goodPart(t, document)
	}
	if about.APIVersion == config.APIVersion && about.Kind == config.Kind {
		_, err := config.Parse(document)
		return err
	}
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	if _, _, err := strict.Decode(document, nil, nil); err != nil && scheme.Scheme.IsGroupRegistered(groupOf(about.APIVersion)) {
		return err
	}
	for key, value := range about.Annotations {
		name, _, _, ours := annotation.Read(key)
		k, known := annotation.Find(name)
		switch {
		case !ours:
		case !known:
			return errors.New(key + " is no annotation of Landbridge")
		case k.Check != nil:
			if err := k.Check(value); err != nil {
				return err
			}
		}
	}
	return nil
}

// completion is a configuration that has what parts of one in the pages refer to.
const completion = `
apiVersion: landbridge.dev/v1
kind: Config
cluster: prod-1
bigip: [{name: dc1, hosts: [https://192.0.2.10], credentialsDir: /etc/landbridge/dc1}]
bgp: {asn: 64512, peers: [{name: tor-a, address: 198.51.100.1, asn: 64513}]}
addressPools: [{name: public, ranges: [203.0.113.0/28]}]
`

// goodPart says what is wrong with a part of something, by what it is a part of.
func goodPart(t *testing.T, document []byte) error {
	t.Helper()
	var part map[string]any
	if err := yaml.UnmarshalStrict(document, &part); err != nil {
		return err
	}
	has := func(key string) bool { _, there := part[key]; return there }
	switch {
	case has("secrets") || has("tracing"): // values of the chart
		return goodValues(part)
	case has("triggers"): // KEDA's
		return nil
	case has("metrics"):
		return yaml.UnmarshalStrict(document, &autoscalingv2.HorizontalPodAutoscalerSpec{})
	case has("spec"):
		return yaml.UnmarshalStrict(document, &corev1.PodTemplateSpec{})
	case has("register"):
		file := filepath.Join(t.TempDir(), "agent.yaml")
		if err := os.WriteFile(file, document, 0o600); err != nil {
			return err
		}
		_, err := agent.Load(file)
		return err
	}
	var whole map[string]any
	if err := yaml.Unmarshal([]byte(completion), &whole); err != nil {
		return err
	}
	raw, err := yaml.Marshal(overlaid(whole, part))
	if err != nil {
		return err
	}
	_, err = config.Parse(raw)
	return err
}

// goodValues says what the chart's schema finds wrong with a part of its values.
func goodValues(part map[string]any) error {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("charts", "landbridge", "values.schema.json"))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(overlaid(map[string]any{"config": map[string]any{"cluster": "prod-1"}}, part))
	if err != nil {
		return err
	}
	values, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return schema.Validate(values)
}

// overlaid is a mapping with what another one says in place of what it has.
func overlaid(whole, part map[string]any) map[string]any {
	all := maps.Clone(whole)
	for key, value := range part {
		inner, ok := value.(map[string]any)
		if outer, both := all[key].(map[string]any); ok && both {
			value = overlaid(outer, inner)
		}
		all[key] = value
	}
	return all
}

func groupOf(apiVersion string) string {
	group, _, has := strings.Cut(apiVersion, "/")
	if !has {
		return ""
	}
	return group
}
