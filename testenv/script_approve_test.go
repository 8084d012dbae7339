package testenv_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"landbridge.dev/sync/plan"
	"landbridge.dev/testenv/world"
)

// unapproved is the hash of nothing, for manifests whose hash a plan tells.
var unapproved = strings.Repeat("0", 32)

// approve does what a Service's condition says: it annotates it with the hash in
// there. With -f it writes the hash that `landbridge plan -f` tells into a
// manifest, in the place of 32 zeros.
func approve(ctx context.Context, s *script, args []string) (world.Output, error) {
	if len(args) == 2 && args[0] == "-f" {
		return approveFile(ctx, s, args[1])
	}
	out, err := condition(ctx, s, args)
	if err != nil {
		return out, err
	}
	hash := regexp.MustCompile("landbridge.dev/approved: ([0-9a-f]{32})").FindStringSubmatch(out.Stdout)
	if hash == nil {
		return out, fmt.Errorf("the condition of %s asks for no approval: %s", args[0], out.Stdout)
	}
	return s.world.Kubectl(ctx, "annotate", "--overwrite", "service", args[0], "-n", "shop", "landbridge.dev/approved="+hash[1])
}

func approveFile(ctx context.Context, s *script, name string) (world.Output, error) {
	out, _ := landbridge(ctx, s, []string{"plan", "-f", name, "-o", "json"}) // it ends with 2, because there are changes
	var report plan.Report
	if err := json.Unmarshal([]byte(out.Stdout), &report); err != nil {
		return out, err
	}
	if len(report.Approvals) != 1 {
		return out, fmt.Errorf("%s: the plan has %d approvals, not 1", name, len(report.Approvals))
	}
	path := filepath.Join(s.world.Dir(), name)
	raw, err := os.ReadFile(path)
	if err != nil {
		return out, err
	}
	return world.Output{}, os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), unapproved, report.Approvals[0].Hash)), 0o644)
}
