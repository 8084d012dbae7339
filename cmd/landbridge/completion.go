package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/sync/translate"
)

// completionPatience is how long somebody who has pressed the tab key waits.
const completionPatience = 2 * time.Second

// completeService completes the first argument, NAMESPACE/SERVICE, by what is in
// the cluster of the kubeconfig. Where that does not answer in time, or refuses,
// nothing is offered, and nothing said: a shell shows it amid the line.
func (c *common) completeService(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	found := make(chan []string, 1)
	go func() { found <- c.servicesLike(ctx, begun) }()
	select {
	case names := <-found:
		return names, cobra.ShellCompDirectiveNoFileComp
	case <-ctx.Done(): // a plugin that logs in may heed no context
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// servicesLike are the Services that speak to Landbridge and whose
// NAMESPACE/SERVICE begins so: of the namespace, once that is typed; before, of
// all, or for who may not see them, of that of the kubeconfig.
func (c *common) servicesLike(ctx context.Context, begun string) []string {
	client, err := c.client()
	if err != nil {
		return nil
	}
	namespace, _, typed := strings.Cut(begun, "/")
	if !typed {
		namespace = metav1.NamespaceAll
	}
	services, err := remembered(ctx, client, namespace)
	if apierrors.IsForbidden(err) && !typed {
		if namespace, _, err = c.clientConfig().Namespace(); err == nil {
			services, err = remembered(ctx, client, namespace)
		}
	}
	if err != nil {
		return nil
	}
	var names []string
	for _, svc := range services {
		name := svc.Namespace + "/" + svc.Name
		if strings.HasPrefix(name, begun) && (translate.Addressed(&svc) || slices.Contains(svc.Finalizers, translate.Finalizer)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// remembered are the Services of a namespace, as the API server remembers them:
// it need not ask its store for a key that was pressed.
func remembered(ctx context.Context, client kubernetes.Interface, namespace string) ([]corev1.Service, error) {
	all, err := client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	return all.Items, nil
}
