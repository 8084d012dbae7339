package landbridge_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// saysReasons are the trees whose packages give reasons to Services, and the
// packages there that only tests use.
var (
	saysReasons = []string{"sync", "backends", "mq"}
	onlyTests   = []string{"backends/memory", "backends/backendtest"}
)

// Every reason that a Service can be told stands in docs/reasons.md, and every
// reason there is told by somebody.
func TestReasonsAreDocumented(t *testing.T) {
	t.Parallel()
	told := reasonsToldBy(t)
	if len(told) < 20 {
		t.Fatalf("only %d reasons were found: %v", len(told), told)
	}
	page, err := os.ReadFile(filepath.Join("docs", "reasons.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		if rows[row[1]] {
			t.Errorf("docs/reasons.md has %s twice", row[1])
		}
		rows[row[1]] = true
	}
	for reason, where := range told {
		if !rows[reason] {
			t.Errorf("%s: docs/reasons.md lacks %s: add what it means and what to do", where, reason)
		}
		delete(rows, reason)
	}
	for reason := range rows {
		t.Errorf("docs/reasons.md has %s, which nothing tells any more", reason)
	}
}

// reasonsToldBy are the reasons in the code, and where one of each is.
func reasonsToldBy(t *testing.T) map[string]token.Position {
	t.Helper()
	told := map[string]token.Position{}
	for _, tree := range saysReasons {
		if _, err := os.Stat(tree); err != nil {
			continue
		}
		err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if slices.Contains(onlyTests, filepath.ToSlash(path)) {
				return fs.SkipDir
			}
			return (&reasonFinder{told: told}).inFolder(path)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return told
}

// reasonFinder finds the literals of one package that stand where a reason is
// meant: as the value of a constant Reason…, of a field Reason or reason, of a
// variable, parameter or result of that name, or as the reason of an event.
type reasonFinder struct {
	files  *token.FileSet
	told   map[string]token.Position
	params map[string]int // function → which parameter is the reason
	fields map[string]int // struct → which field is
}

func (f *reasonFinder) inFolder(folder string) error {
	f.files, f.params, f.fields = token.NewFileSet(), map[string]int{}, map[string]int{}
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	var parsed []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(f.files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		parsed = append(parsed, file)
	}
	for _, file := range parsed {
		ast.Inspect(file, f.declares)
	}
	for _, file := range parsed {
		for _, d := range file.Decls {
			f.tells(d)
		}
	}
	return nil
}

// declares notes which functions take a reason, and which structs hold one.
func (f *reasonFinder) declares(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if i := indexOf(n.Type.Params); i >= 0 {
			f.params[n.Name.Name] = i
		}
	case *ast.TypeSpec:
		if s, ok := n.Type.(*ast.StructType); ok {
			if i := indexOf(s.Fields); i >= 0 {
				f.fields[n.Name.Name] = i
			}
		}
	}
	return true
}

// indexOf is the place of a reason among parameters, results or fields.
func indexOf(list *ast.FieldList) int {
	if list == nil {
		return -1
	}
	i := 0
	for _, field := range list.List {
		for _, name := range field.Names {
			if isReason(name.Name) {
				return i
			}
			i++
		}
		if len(field.Names) == 0 {
			i++
		}
	}
	return -1
}

func isReason(name string) bool { return strings.EqualFold(name, "reason") }

// tells goes through a declaration for literals that are reasons.
func (f *reasonFinder) tells(d ast.Decl) {
	result := -1
	if fn, ok := d.(*ast.FuncDecl); ok {
		result = indexOf(fn.Type.Results)
		if result < 0 && strings.Contains(strings.ToLower(fn.Name.Name), "reason") {
			result = 0
		}
	}
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return true
		case *ast.ReturnStmt:
			f.take(n.Results, result)
		case *ast.CallExpr:
			f.call(n)
		case *ast.CompositeLit:
			f.composite(n)
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && isReason(key.Name) {
				f.take([]ast.Expr{n.Value}, 0)
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if isReason(nameOf(left)) && len(n.Lhs) == len(n.Rhs) {
					f.take(n.Rhs, i)
				}
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if isReason(name.Name) || strings.HasPrefix(name.Name, "Reason") {
					f.take(n.Values, i)
				}
			}
		}
		return true
	})
}

func (f *reasonFinder) call(c *ast.CallExpr) {
	name := nameOf(c.Fun)
	if i, ok := f.params[name]; ok {
		f.take(c.Args, i)
	}
	if name == "Event" && len(c.Args) == 4 { // record.EventRecorder
		f.take(c.Args, 2)
	}
}

func (f *reasonFinder) composite(c *ast.CompositeLit) {
	if i, ok := f.fields[nameOf(c.Type)]; ok && len(c.Elts) > 0 {
		if _, keyed := c.Elts[0].(*ast.KeyValueExpr); !keyed {
			f.take(c.Elts, i)
		}
	}
}

// nameOf is the last name of an expression such as x, p.x or p.q.x.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// take notes the literal at a place among expressions.
func (f *reasonFinder) take(of []ast.Expr, i int) {
	if i < 0 || i >= len(of) {
		return
	}
	literal, ok := of[i].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return
	}
	reason, err := strconv.Unquote(literal.Value)
	if err == nil && reason != "" {
		f.told[reason] = f.files.Position(literal.Pos())
	}
}
