package landbridge_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Every block of YAML in the pages is good: a configuration as the program reads
// it, an object as an API server does, without a field that there is not, and
// its annotations of Landbridge by the checks that the controller makes. The
// scripts of testenv apply the like, and the tests of the chart its values.
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
					err = good(document)
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

// good says what is wrong with a document. A part of one need only be YAML.
func good(document []byte) error {
	var about struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &map[string]any{}); err != nil {
		return err
	}
	if err := yaml.Unmarshal(document, &about); err != nil || about.APIVersion == "" {
		return nil //nolint:nilerr // values of a chart, say, or a part of an object
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

func groupOf(apiVersion string) string {
	group, _, has := strings.Cut(apiVersion, "/")
	if !has {
		return ""
	}
	return group
}
