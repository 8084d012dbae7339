package charts_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// testPages has the API server, with the release's admission policy, look at each
// object that a page shows, without keeping it.
func testPages(t *testing.T, s *site) {
	t.Helper()
	s.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
	pages, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, filepath.Join("..", "README.md")) {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range yamlBlock.FindAllStringSubmatch(string(raw), -1) {
			if !strings.Contains(text[1], "\nkind: ") || strings.Contains(text[1], "kind: Config\n") {
				continue // a configuration, or a part of something: a test of the root package reads these
			}
			found++
			file := filepath.Join(s.Dir(), "page.yaml")
			if err := os.WriteFile(file, []byte(text[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := s.Kubectl(t.Context(), "apply", "--dry-run=server", "--validate=strict", "-f", file); err != nil || strings.Contains(out.Stderr, "Warning") {
				t.Errorf("%s: %v: %s:\n%s", page, err, out.Stderr, text[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d manifests were found", found)
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The values of docs/install.md are good ones.
func TestInstallPage(t *testing.T) {
	t.Parallel()
	r := mustRender(t, parse(t, block(t, "install.md", "values.yaml")))
	for _, o := range r.objects {
		testObject(t, r, o)
	}
	if len(r.hooks) != 4 {
		t.Errorf("%d hooks", len(r.hooks))
	}
}

// Where docs/queues.md has pods publish, the chart's Service is.
func TestQueuesPage(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "docs", "queues.md"))
	if err != nil {
		t.Fatal(err)
	}
	r := mustRender(t, parse(t, "{config: {cluster: a, mq: {urls: [amqp://192.0.2.30], credentialsDir: /etc/landbridge/mq}}, gateway: {enabled: true}}"))
	service := find[corev1.Service](t, r.objects, "Service", "landbridge-gateway")
	if port := service.Spec.Ports[0].Port; port != 80 {
		t.Errorf("the Service is at port %d, and http is at 80", port)
	}
	urls := regexp.MustCompile(`https?://landbridge-[^/ ]*`).FindAllString(string(raw), -1)
	if want := []string{"http://" + service.Name + "." + service.Namespace}; !slices.Equal(urls, want) {
		t.Errorf("the page has %v, want %v", urls, want)
	}
}

// block is the fenced YAML of a page that begins with a comment of that name.
func block(t *testing.T, page, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(raw), "```yaml\n# "+name+"\n")
	text, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatalf("%s has no %s", page, name)
	}
	return text
}

// commandsOf are those of the block of a page that begins with some words.
func commandsOf(t *testing.T, page, begin string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(raw), "```sh\n"+begin)
	text, _, ended := strings.Cut(begin+rest, "\n```")
	if !found || !ended {
		t.Fatalf("%s has no %s", page, begin)
	}
	return strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n")
}
