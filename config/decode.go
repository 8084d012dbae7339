package config

import (
	"bufio"
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// decode reads a file strictly: one document, no key twice, none that is not
// known, and none in other capitals. The errors name the key by its path.
func decode(raw []byte) (*Config, error) {
	document, err := onlyDocument(raw)
	if err != nil {
		return nil, err
	}
	body, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "))
	}
	c := &Config{}
	unknown, err := json.UnmarshalStrict(body, c)
	if err != nil {
		return nil, typeError(body, err)
	}
	return c, errors.Join(unknown...)
}

// onlyDocument is the file's one YAML document. What stands in a second one
// would have no effect, and so be believed.
func onlyDocument(raw []byte) ([]byte, error) {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	first, err := documents.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for err == nil {
		var more []byte
		more, err = documents.Read()
		if !blank(more) {
			return nil, errors.New("the file has a second document (after ---); write one")
		}
	}
	return first, nil
}

// blank says whether a document holds nothing but comments.
func blank(document []byte) bool {
	for line := range bytes.Lines(document) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return false
		}
	}
	return true
}

// typeError says where a value of the wrong type stands. The strict decoder
// does not give that away, the standard one does.
func typeError(body []byte, err error) error {
	var wrong *stdjson.UnmarshalTypeError
	if !errors.As(stdjson.Unmarshal(body, &Config{}), &wrong) {
		return err
	}
	path := wrong.Field
	if path == "" {
		path = "the file"
	}
	return fmt.Errorf("%s: must be %s, not %s", path, inWords(wrong.Type), strings.NewReplacer("object", "a mapping", "array", "a list").Replace(wrong.Value))
}

func inWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	default:
		return "a number"
	}
}
