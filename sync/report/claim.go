package report

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// Claimed says whether a Service carries our finalizer, and names these
// backends as those where something of it may stand.
func Claimed(svc *corev1.Service, backends ...string) bool {
	stands := StandsOn(svc)
	return slices.Contains(svc.Finalizers, Finalizer) &&
		!slices.ContainsFunc(backends, func(b string) bool { return !slices.Contains(stands, b) })
}

// StandsOn are the backends on which something of a Service may stand, by what
// we wrote on it.
func StandsOn(svc *corev1.Service) []string {
	return strings.FieldsFunc(svc.Annotations[translate.AnnotationStandsOn], func(r rune) bool { return r == ',' })
}

// Touched says whether a Service carries anything that we wrote.
func Touched(svc *corev1.Service) bool {
	_, observed := svc.Annotations[translate.AnnotationObserved]
	_, address := svc.Annotations[translate.AnnotationAddress]
	_, stands := svc.Annotations[translate.AnnotationStandsOn]
	_, lastGood := svc.Annotations[translate.AnnotationLastGood]
	return Claimed(svc) || observed || address || stands || lastGood || meta.FindStatusCondition(svc.Status.Conditions, Programmed) != nil
}

// Claim is what has to stand on a Service, beside our finalizer, before
// anything is made for it outside.
type Claim struct {
	// Backends are those on which something is to be made.
	Backends []string
	// Given are the addresses that it was given, so that nobody else is given
	// them after a crash, and Addresses all that it is to have.
	Given, Addresses []state.Address
	// LastGood is what the Service is to remember of its routes; empty for
	// nothing.
	LastGood string
}

// StandsOn says whether all of the claim, and our finalizer, stand on a
// Service.
func (c Claim) StandsOn(svc *corev1.Service) bool {
	noted := strings.Split(svc.Annotations[translate.AnnotationAddress], ",")
	return Claimed(svc, c.Backends...) && translate.LastGoodRoutes(svc) == c.LastGood &&
		!slices.ContainsFunc(c.Given, func(a state.Address) bool { return !slices.Contains(noted, a.String()) })
}

// Claim puts the finalizer on a Service, with the backends on which something
// is to be made for it and, where it was given any, its addresses. Nothing may
// be made there before.
func (r *Reporter) Claim(ctx context.Context, svc *corev1.Service, c Claim) error {
	stands := slices.Concat(StandsOn(svc), c.Backends)
	slices.Sort(stands)
	annotations := map[string]any{translate.AnnotationStandsOn: strings.Join(slices.Compact(stands), ",")}
	if len(c.Given) > 0 {
		annotations[translate.AnnotationAddress] = strings.Join(words(c.Addresses), ",")
	}
	if translate.LastGoodRoutes(svc) != c.LastGood {
		annotations[translate.AnnotationLastGood] = orNil(translate.WithLastGoodRoutes(svc, c.LastGood))
	}
	patch := map[string]any{"metadata": map[string]any{
		"uid": svc.UID, "finalizers": []string{Finalizer}, // the patch strategy of finalizers is merge
		"annotations": annotations,
	}}
	// A Service that is gone by now is an error: nothing may be made for it.
	if err := r.send(ctx, svc, types.StrategicMergePatchType, patch); err != nil {
		return fmt.Errorf("finalizer on Service %s/%s: %w", svc.Namespace, svc.Name, err)
	}
	return nil
}

// Release takes the finalizer off a Service of which nothing stands outside
// any more, and from one that goes on living also all else that we wrote.
func (r *Reporter) Release(ctx context.Context, svc *corev1.Service) error {
	if svc.DeletionTimestamp == nil {
		if err := r.clear(ctx, svc); err != nil {
			return err
		}
	}
	patch := map[string]any{"metadata": map[string]any{
		"uid":                                 svc.UID,
		"$deleteFromPrimitiveList/finalizers": []string{Finalizer},
		"annotations": map[string]any{
			translate.AnnotationAddress: nil, translate.AnnotationObserved: nil, translate.AnnotationStandsOn: nil, translate.AnnotationLastGood: nil,
		},
	}}
	if err := r.patch(ctx, svc, types.StrategicMergePatchType, patch); err != nil {
		return fmt.Errorf("finalizer on Service %s/%s: %w", svc.Namespace, svc.Name, err)
	}
	return nil
}

// Leave notes that nothing of a Service stands on some backends any more. On
// lost ones something may, which are no longer configured: it stays there, and
// that is said.
func (r *Reporter) Leave(ctx context.Context, svc *corev1.Service, left, lost []string) error {
	stays := slices.DeleteFunc(StandsOn(svc), func(b string) bool { return slices.Contains(left, b) || slices.Contains(lost, b) })
	var value any // null: without it
	if len(stays) > 0 {
		value = strings.Join(stays, ",")
	}
	patch := map[string]any{"metadata": map[string]any{
		"uid": svc.UID, "annotations": map[string]any{translate.AnnotationStandsOn: value},
		"resourceVersion": svc.ResourceVersion, // what was claimed since is not left
	}}
	if err := r.patch(ctx, svc, types.MergePatchType, patch); err != nil {
		return fmt.Errorf("annotations of Service %s/%s: %w", svc.Namespace, svc.Name, err)
	}
	for _, b := range lost {
		r.events.Event(svc, corev1.EventTypeWarning, "DeviceRemoved", b+" is no longer configured; what was made there for this Service stays as it is")
	}
	return nil
}

// GiveUp takes the finalizer off a deleted Service although not all of it is
// gone outside, and says so: what stands there is cleaned up later if the
// controller can, and otherwise is for a person.
func (r *Reporter) GiveUp(ctx context.Context, svc *corev1.Service, problems []state.Problem) error {
	message := "finalizerTimeout has passed, and what was made outside may still stand there"
	if len(problems) > 0 {
		message += ": " + messageOf(problems)
	}
	r.events.Event(svc, corev1.EventTypeWarning, "FinalizerTimeout", message)
	return r.Release(ctx, svc)
}

// clear takes our conditions and ingress away.
func (r *Reporter) clear(ctx context.Context, svc *corev1.Service) error {
	status := map[string]any{}
	if gone := without(svc, Programmed, Queue, Announced, VMs); len(gone) > 0 {
		status["conditions"] = gone
	}
	if ingressOurs(svc, nil) && len(svc.Status.LoadBalancer.Ingress) > 0 {
		status["loadBalancer"] = map[string]any{"ingress": nil}
	}
	return r.patchStatus(ctx, svc, status)
}
