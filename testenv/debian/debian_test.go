package debian_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/testenv/debian"
)

func TestMissing(t *testing.T) {
	t.Parallel()
	missing, err := debian.Missing(t.Context(), "dpkg", "no-such-package-of-debian", "libc6")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"no-such-package-of-debian"}, missing); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is there is left alone, and nobody is told of it.
func TestInstallOfWhatIsThere(t *testing.T) {
	t.Parallel()
	var progress strings.Builder
	if err := debian.Install(t.Context(), &progress, "dpkg", "libc6"); err != nil {
		t.Fatal(err)
	}
	if progress.Len() > 0 {
		t.Errorf("told %q", progress.String())
	}
}
