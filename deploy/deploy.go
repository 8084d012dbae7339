// Package deploy holds what a cluster has to give the controller: the rights in
// rbac.yaml, as the file says them.
package deploy

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

//go:embed rbac.yaml
var rbac []byte

// Right is one thing that the controller has to be allowed to do.
type Right struct {
	Verb, Group, Resource, Subresource string
	// Name is the one object that it is about; empty for all.
	Name string
	// Lease says that it is only needed in the namespace of the leader's
	// Lease, and if Name is given, for that Lease. The others are needed in
	// all namespaces.
	Lease bool
}

// String writes "patch services/status".
func (r Right) String() string {
	what := r.Resource
	if r.Group != "" {
		what += "." + r.Group
	}
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	return r.Verb + " " + what
}

// Rights are the rights of rbac.yaml, in its order: those of its ClusterRole,
// and those of its Role, which are about the Lease.
func Rights() ([]Right, error) {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(rbac)))
	var rights []Right
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return rights, nil
		}
		if err != nil {
			return nil, fmt.Errorf("rbac.yaml: %w", err)
		}
		var role struct {
			metav1.TypeMeta `json:",inline"`
			Rules           []rbacv1.PolicyRule `json:"rules"`
		}
		if err := yaml.Unmarshal(document, &role); err != nil {
			return nil, fmt.Errorf("rbac.yaml: %w", err)
		}
		for _, rule := range role.Rules {
			rights = append(rights, rightsOf(rule, role.Kind == "Role")...)
		}
	}
}

// rightsOf are the single rights that a rule gives.
func rightsOf(rule rbacv1.PolicyRule, lease bool) []Right {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var rights []Right
	for _, group := range rule.APIGroups {
		for _, path := range rule.Resources {
			resource, sub, _ := strings.Cut(path, "/")
			for _, name := range names {
				for _, verb := range rule.Verbs {
					rights = append(rights, Right{
						Verb: verb, Group: group, Resource: resource, Subresource: sub, Name: name, Lease: lease,
					})
				}
			}
		}
	}
	return rights
}
