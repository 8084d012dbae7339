package landbridge_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"landbridge.dev/config/annotation"
	"landbridge.dev/deploy/admission"
)

// docs/annotations.md is made of the reference of annotations, and of the rules
// by which an API server refuses their values.
func TestAnnotationsPageIsGenerated(t *testing.T) {
	t.Parallel()
	must := map[string]string{}
	for _, v := range admission.Spec().Validations {
		if key, rule, ok := strings.Cut(v.Message, ": "); ok {
			must[strings.TrimPrefix(key, annotation.Prefix)] = rule
		}
	}
	var page strings.Builder
	page.WriteString("# Annotations\n\nEvery annotation of Landbridge, made from the code by `make generate`. What they do says the " +
		"[README](../README.md#use-it), and the pages of their parts: [moving a service](moving-a-service.md), [BGP](bgp.md), [queues](queues.md), [VMs](vms.md).\n\n" +
		"*Port*: the key may end in `.` and a port of the Service, by name, number or, where the protocol matters, `53-udp`. *Class*: it may stand in a class of\n" +
		"the configuration, without the prefix. A bad value *holds* its part of the Service as it stands, while members follow endpoints; where it says\n" +
		"*freezes*, no member is added either.\n")
	for _, part := range []struct {
		annotation.Part
		title string
	}{
		{annotation.Service, "Of the whole Service"},
		{annotation.BIGIP, "BIG-IP"},
		{annotation.BGP, "Routes"},
		{annotation.Queue, "Queues"},
		{annotation.VMs, "VMs on the broker"},
	} {
		fmt.Fprintf(&page, "\n## %s\n\n| key | value | port | class | bad value |\n|---|---|---|---|---|\n", part.title)
		for _, k := range annotation.Keys() {
			if k.Part != part.Part {
				continue
			}
			value, bad := cell(must[k.Name]), "holds"
			switch {
			case k.Written:
				value, bad = "written by Landbridge alone", ""
			case k.Freezes:
				bad = "freezes"
			}
			if value == "" {
				value = "see the README"
			}
			fmt.Fprintf(&page, "| `%s%s` | %s | %s | %s | %s |\n", annotation.Prefix, k.Name, value, tick(k.Port), tick(k.Class), bad)
		}
	}
	generated(t, filepath.Join("docs", "annotations.md"), page.String())
}

func tick(yes bool) string { return map[bool]string{true: "yes"}[yes] }

// cell is a text as a table's cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// docs/configuration.md is made of the types that the file is decoded into, and
// what their comments say.
func TestConfigurationPageIsGenerated(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	packages, err := filepath.Glob("config/*.go")
	if err != nil {
		t.Fatal(err)
	}
	from := source{structs: map[string]*ast.StructType{}, docs: map[string]string{}, words: map[string]string{}}
	for _, path := range packages {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			from.take(d)
		}
	}
	var page strings.Builder
	page.WriteString("# Configuration\n\nEvery key of the configuration file, made from the code by `make generate`; the [README](../README.md#use-it) shows a whole one. " +
		"The file is YAML, decoded\nstrictly: a key that there is not is refused, with its path. `landbridge check` reads it, and asks whether what it names is there.\n\n" +
		"| key | kind | |\n|---|---|---|\n")
	from.keys(t, &page, "", "Config")
	generated(t, filepath.Join("docs", "configuration.md"), page.String())
}

// source is what package config declares.
type source struct {
	structs map[string]*ast.StructType
	docs    map[string]string // of these
	words   map[string]string // the constants that are texts
}

func (s source) take(d ast.Decl) {
	g, ok := d.(*ast.GenDecl)
	if !ok {
		return
	}
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if of, ok := spec.Type.(*ast.StructType); ok {
				s.structs[spec.Name.Name], s.docs[spec.Name.Name] = of, g.Doc.Text()
			}
		case *ast.ValueSpec:
			for i, v := range spec.Values {
				if text, ok := v.(*ast.BasicLit); ok && text.Kind == token.STRING {
					s.words[spec.Names[i].Name] = strings.Trim(text.Value, `"`)
				}
			}
		}
	}
}

var (
	jsonName = regexp.MustCompile(`json:"([^",]+)`)
	aName    = regexp.MustCompile(`[A-Z]\w*[a-z]\w*`)
)

// keys writes the rows of a struct's fields, and of the structs in them.
func (s source) keys(t *testing.T, page *strings.Builder, prefix, name string) {
	t.Helper()
	for _, field := range s.structs[name].Fields.List {
		if field.Tag == nil {
			continue
		}
		tag := jsonName.FindStringSubmatch(field.Tag.Value)
		if tag == nil {
			t.Errorf("config.%s has a field without a name in JSON", name)
			continue
		}
		kind, of, list := kindOf(field.Type)
		path := prefix + tag[1]
		if list {
			path += "[]"
		}
		about := strings.Join(strings.Fields(field.Doc.Text()+field.Comment.Text()), " ")
		if about == "" {
			about = strings.Join(strings.Fields(s.docs[of]), " ")
		}
		if about == "" {
			t.Errorf("%s: say in config.%s what it is", path, name)
		}
		about = aName.ReplaceAllStringFunc(about, func(word string) string {
			if value, ok := s.words[word]; ok {
				return "`" + value + "`"
			}
			return word
		})
		fmt.Fprintf(page, "| `%s` | %s | %s |\n", path, kind, cell(about))
		if s.structs[of] != nil && of != "Range" {
			s.keys(t, page, path+".", of)
		}
	}
}

// kindOf is what a key holds, in words, and the type's name in package config.
func kindOf(e ast.Expr) (kind, name string, list bool) {
	switch e := e.(type) {
	case *ast.StarExpr:
		return kindOf(e.X)
	case *ast.ArrayType:
		kind, name, _ = kindOf(e.Elt)
		return "list of " + strings.TrimSuffix(kind, "s") + "s", name, true
	case *ast.MapType:
		return "settings by name", "", false
	case *ast.Ident:
		switch e.Name {
		case "string":
			return "text", "", false
		case "bool":
			return "true or false", "", false
		case "Duration":
			return "duration", "", false
		}
		if strings.HasPrefix(e.Name, "int") || strings.HasPrefix(e.Name, "uint") {
			return "number", "", false
		}
		if ast.IsExported(e.Name) {
			return "section", e.Name, false
		}
	}
	return "value", "", false
}
