package main

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/deploy"
)

// checkKubernetes looks at the API server, and whether it grants what
// deploy/rbac.yaml asks for. Without a valid configuration it asks for all
// namespaces.
func (c *checkCommand) checkKubernetes(ctx context.Context, report *checkReport, conf *config.Config) {
	find := func(check string, result f5.Level, format string, args ...any) {
		report.add("kubernetes", "", check, result, fmt.Sprintf(format, args...))
	}
	kube, err := c.restConfig()
	if err != nil {
		find("reach", f5.Problem, "%v", err)
		return
	}
	kube.Timeout = c.timeout
	client, err := kubernetes.NewForConfig(kube)
	if err != nil {
		find("reach", f5.Problem, "%v", err)
		return
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		find("reach", f5.Problem, "%s: %v", kube.Host, err)
		return
	}
	find("reach", f5.OK, "%s answers, version %s", kube.Host, version.GitVersion)
	who, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		find("login", f5.Problem, "%v", err)
		return
	}
	user := who.Status.UserInfo.Username
	find("login", f5.OK, "as %s", user)
	rights, err := deploy.Rights()
	if err != nil {
		find("rights", f5.Problem, "%v", err)
		return
	}
	lease, err := c.leaseOf(user)
	if err != nil {
		find("rights", f5.Warning, "the rights to the leader's Lease are not looked at: %v", err)
	}
	namespaces := []string{metav1.NamespaceAll}
	if conf != nil && len(conf.Namespaces) > 0 {
		namespaces = conf.Namespaces
	}
	asked, missing := 0, 0
	for _, a := range attributes(rights, namespaces, lease, c.lease.name) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &a.ResourceAttributes}}
		answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			find("rights", f5.Problem, "asking whether user %s may %s: %v", user, a.right, err)
			return
		}
		asked++
		if !answer.Status.Allowed {
			missing++
			find("rights", f5.Problem, "user %s may not %s %s: apply deploy/rbac.yaml of this version", user, a.right, a.where())
		}
	}
	if missing == 0 {
		find("rights", f5.OK, "user %s has all %d rights of deploy/rbac.yaml", user, asked)
	}
}

// leaseOf is the namespace of the leader's Lease: as for the controller, or that
// of the ServiceAccount who asks.
func (c *checkCommand) leaseOf(user string) (string, error) {
	namespace, err := c.lease.leaseNamespace()
	if account, is := strings.CutPrefix(user, "system:serviceaccount:"); err != nil && is {
		namespace, _, _ = strings.Cut(account, ":")
		return namespace, nil
	}
	return namespace, err
}

// question is a right as the API server is asked for it.
type question struct {
	right deploy.Right
	authorizationv1.ResourceAttributes
}

// where says in which namespaces the right is needed.
func (q question) where() string {
	switch {
	case q.Name != "":
		return fmt.Sprintf("%s in namespace %s", q.Name, q.Namespace)
	case q.Namespace != "":
		return "in namespace " + q.Namespace
	case q.Resource == "nodes" || q.Resource == "namespaces":
		return "in the cluster"
	}
	return "in all namespaces"
}

// attributes are the rights as questions: in the namespaces that are watched,
// and those about the Lease in its own, if that is known.
func attributes(rights []deploy.Right, namespaces []string, lease, leaseName string) []question {
	var questions []question
	for _, r := range rights {
		where, name := namespaces, r.Name
		switch {
		case r.Lease && lease == "":
			continue
		case r.Lease:
			where = []string{lease}
			if name != "" {
				name = leaseName
			}
		case r.Resource == "nodes" || r.Resource == "namespaces": // of no namespace
			where = []string{metav1.NamespaceAll}
		}
		for _, ns := range where {
			questions = append(questions, question{right: r, ResourceAttributes: authorizationv1.ResourceAttributes{
				Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Name: name, Namespace: ns,
			}})
		}
	}
	return questions
}
