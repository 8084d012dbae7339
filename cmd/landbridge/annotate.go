package main

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/sync/translate"
)

// mostTries is how often annotate tries while others write to a Service.
const mostTries = 10

// annotate sets annotations of a Service, nil to take one away, unless what it
// asks for has changed since it was read. What controllers write on it meanwhile
// is no such change.
func annotate(ctx context.Context, client kubernetes.Interface, svc *corev1.Service, annotations map[string]any) error {
	for tries := 1; ; tries++ {
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"uid": svc.UID, "resourceVersion": svc.ResourceVersion, "annotations": annotations,
		}})
		if err != nil {
			return fmt.Errorf("service %s/%s: %w", svc.Namespace, svc.Name, err)
		}
		services := client.CoreV1().Services(svc.Namespace)
		_, err = services.Patch(ctx, svc.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "landbridge-cli"})
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) {
			return fmt.Errorf("service %s/%s: %w", svc.Namespace, svc.Name, err)
		}
		now, err := services.Get(ctx, svc.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("service %s/%s: %w", svc.Namespace, svc.Name, err)
		}
		if tries == mostTries || !asksTheSame(svc, now) {
			return fmt.Errorf("service %s/%s has changed since the plan was made, and was left as it is; run the command again", svc.Namespace, svc.Name)
		}
		svc = now
	}
}

// asksTheSame says whether a Service asks for what it did before.
func asksTheSame(before, now *corev1.Service) bool {
	was, err := translate.Observed(before)
	if err != nil {
		return false
	}
	is, err := translate.Observed(now)
	return err == nil && was == is && before.UID == now.UID && before.DeletionTimestamp.Equal(now.DeletionTimestamp)
}
