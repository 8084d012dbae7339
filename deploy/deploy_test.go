package deploy_test

import (
	"slices"
	"testing"

	"landbridge.dev/deploy"
)

func TestRights(t *testing.T) {
	t.Parallel()
	rights, err := deploy.Rights()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []deploy.Right{
		{Verb: "watch", Resource: "services"},
		{Verb: "patch", Resource: "services", Subresource: "status"},
		{Verb: "list", Group: "discovery.k8s.io", Resource: "endpointslices"},
		{Verb: "create", Group: "coordination.k8s.io", Resource: "leases", Lease: true},
		{Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Name: "landbridge", Lease: true},
	} {
		if !slices.Contains(rights, want) {
			t.Errorf("%+v is not among the rights: %v", want, rights)
		}
	}
	seen := map[deploy.Right]bool{}
	for _, r := range rights {
		if seen[r] {
			t.Errorf("%s is there twice", r)
		}
		seen[r] = true
		if r.Verb == "" || r.Verb == "*" || r.Resource == "" || r.Resource == "*" {
			t.Errorf("%+v is more than the controller needs, or cannot be read", r)
		}
	}
}
