package watch

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// uidLength is how much of a UID stands in owner tags.
const uidLength = 8

// ClusterUID asks the API server which cluster it speaks for: the first 8 hex
// digits of the UID of its kube-system namespace, which nobody deletes.
func ClusterUID(ctx context.Context, client kubernetes.Interface) (string, error) {
	ns, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("namespace %s, whose UID identifies the cluster: %w", metav1.NamespaceSystem, err)
	}
	if len(ns.UID) < uidLength {
		return "", fmt.Errorf("namespace %s has the UID %q, which is too short", metav1.NamespaceSystem, ns.UID)
	}
	return string(ns.UID)[:uidLength], nil
}
