package report

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// Queue is the condition that says how a Service's queue stands.
const Queue = translate.Prefix + "Queue"

// queue is the condition of the queue as it should read; the change is what is
// to be sent, nil for nothing: the condition, or its removal.
func (r *Reporter) queue(svc *corev1.Service, s *state.Standing) (c metav1.Condition, change any) {
	have := meta.FindStatusCondition(svc.Status.Conditions, Queue)
	switch {
	case s == nil && have == nil, s != nil && s.Reason == "":
		return c, nil // nothing to say, or not yet
	case s == nil:
		return c, map[string]any{"$patch": "delete", "type": Queue}
	}
	c = metav1.Condition{Type: Queue, Status: metav1.ConditionTrue, Reason: s.Reason, Message: s.Message}
	switch {
	case s.Problem:
		c.Status = metav1.ConditionFalse
	case s.Unknown:
		c.Status = metav1.ConditionUnknown
	}
	if have != nil && have.Status == c.Status && have.Reason == c.Reason && have.Message == c.Message {
		return c, nil
	}
	c.LastTransitionTime = metav1.NewTime(r.now())
	if have != nil && have.Status == c.Status {
		c.LastTransitionTime = have.LastTransitionTime
	}
	return c, c
}

// Record writes down what was good last of what nothing outside remembers. It
// is written before it is used; an empty value is taken away.
func (r *Reporter) Record(ctx context.Context, svc *corev1.Service, lastGood string) error {
	annotations := map[string]any{translate.AnnotationLastGood: lastGood}
	if lastGood == "" {
		annotations[translate.AnnotationLastGood] = nil
	}
	patch := map[string]any{"metadata": map[string]any{"uid": svc.UID, "annotations": annotations}}
	if err := r.patch(ctx, svc, types.MergePatchType, patch); err != nil {
		return fmt.Errorf("annotations of Service %s/%s: %w", svc.Namespace, svc.Name, err)
	}
	return nil
}
