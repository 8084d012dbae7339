package landbridge_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
)

// The chart's schema has the keys of the configuration file, so that Helm
// refuses one that there is not.
func TestChartSchemaIsGenerated(t *testing.T) {
	t.Parallel()
	path := filepath.Join("charts", "landbridge", "values.schema.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	schema := schemaOf(t, reflect.TypeFor[config.Config]())
	properties := schema["properties"].(map[string]any)
	delete(properties, "apiVersion") // the chart writes these two
	delete(properties, "kind")
	all["definitions"].(map[string]any)["config"] = schema
	var want bytes.Buffer
	to := json.NewEncoder(&want)
	to.SetEscapeHTML(false)
	to.SetIndent("", "  ")
	if err := to.Encode(all); err != nil {
		t.Fatal(err)
	}
	generated(t, path, want.String())
}

// schemaOf is the JSON schema of what is decoded into a type, as far as keys
// and kinds go. Values are the configuration's own to check.
func schemaOf(t *testing.T, of reflect.Type) map[string]any {
	t.Helper()
	switch {
	case of.Kind() == reflect.Pointer:
		return schemaOf(t, of.Elem())
	case of == reflect.TypeFor[config.Setting]():
		return map[string]any{} // a word, a number or a list
	case of == reflect.TypeFor[config.Class]():
		return map[string]any{"type": "object", "propertyNames": map[string]any{"enum": annotation.ClassKeys()}}
	case reflect.PointerTo(of).Implements(reflect.TypeFor[json.Unmarshaler]()), reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return map[string]any{"type": "string"}
	}
	switch of.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return map[string]any{"type": "integer"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t, of.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t, of.Elem())}
	case reflect.Struct:
		properties := map[string]any{}
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			properties[name] = schemaOf(t, of.Field(i).Type)
		}
		return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	}
	t.Fatalf("no schema for %s", of)
	return nil
}
