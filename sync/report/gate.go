package report

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"landbridge.dev/sync/translate"
)

// Gate is what the readiness gate of a Pod should say.
type Gate struct {
	Open            bool
	Reason, Message string
}

// status is the condition's.
func (g Gate) status() corev1.ConditionStatus {
	if g.Open {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

// SetGate writes the condition of a Pod's readiness gate, unless it says so
// already. One that is open stays as it is: whether the Pod is ready is not to
// hang on a device once it has been. A Pod that is gone needs nothing.
func (r *Reporter) SetGate(ctx context.Context, p translate.Pod, g Gate) error {
	if p.Open() || p.Gate == g.status() && p.Reason == g.Reason && p.Message == g.Message {
		return nil
	}
	condition := map[string]any{
		"type": translate.PodGate, "status": g.status(), "reason": g.Reason, "message": g.Message,
	}
	if p.Gate != g.status() {
		condition["lastTransitionTime"] = metav1.NewTime(r.now())
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": p.UID},
		"status":   map[string]any{"conditions": []any{condition}}, // their patch strategy is merge, by type
	})
	if err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	_, err = r.client.CoreV1().Pods(p.Ref.Namespace).Patch(ctx, p.Ref.Name, types.StrategicMergePatchType, body,
		metav1.PatchOptions{FieldManager: "landbridge"}, "status")
	if err := unlessGone(err); err != nil {
		return fmt.Errorf("readiness gate of Pod %s: %w", p.Ref, err)
	}
	return nil
}
