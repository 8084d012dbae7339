// Package report is the only writer to Services: their conditions, ingress,
// annotations, finalizer and events. It writes what has changed and nothing
// else, so that a settled world sees no write.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// What a Service gets back.
const (
	// Finalizer is on a Service for as long as anything of it may stand
	// outside.
	Finalizer = translate.Finalizer
	// Programmed is the condition that says whether the outside holds what
	// the Service asks for.
	Programmed = translate.Prefix + "Programmed"
)

// Standing is how a Service stands outside.
type Standing struct {
	// Problems are why it is not as asked; with none it is.
	Problems []state.Problem
	// Warnings are what is as asked and will not do what it seems to.
	Warnings []state.Problem
	// Members are how many pods, or nodes for them, take clients over all its
	// pools, and VMs how many VMs do.
	Members, VMs int
	// Addresses are those of its virtual servers, sorted, and Stand says that
	// they stand as asked, whatever else is wrong. Where they do not, what is
	// written of addresses stays.
	Addresses []state.Address
	Stand     bool
	// Parts are the conditions of the parts that the Service uses. Those of
	// parts that it does not use any more are taken away.
	Parts []metav1.Condition
	// Observed is the hash of what the standing speaks of.
	Observed string
	// Outside says that it asks for something that has no members: a queue,
	// or VMs.
	Outside bool
	// Queue is how its queue stands; nil without one. What has no reason is
	// not known yet, and leaves the condition as it reads.
	Queue *state.Standing
}

// Reporter writes to Services. Its methods are safe for concurrent use.
type Reporter struct {
	client kubernetes.Interface
	events record.EventRecorder
	now    func() time.Time
}

// New makes a reporter. events may drop what comes too fast.
func New(client kubernetes.Interface, events record.EventRecorder, now func() time.Time) *Reporter {
	return &Reporter{client: client, events: events, now: now}
}

// Write brings a Service's condition, ingress and annotations to how it
// stands, and tells of a change by an event. svc is as it was last seen.
func (r *Reporter) Write(ctx context.Context, svc *corev1.Service, s Standing) error {
	status := map[string]any{}
	condition, changed := r.condition(svc, s)
	queue, queueChange := r.queue(svc, s.Queue)
	conditions := r.conditions(svc, s)
	if queueChange != nil {
		conditions = append(conditions, queueChange)
	}
	if len(conditions) > 0 {
		status["conditions"] = conditions
	}
	if ingress, differs := ingressOf(svc, s); differs {
		status["loadBalancer"] = map[string]any{"ingress": ingress}
	}
	if err := r.patchStatus(ctx, svc, status); err != nil {
		return err
	}
	if err := r.annotate(ctx, svc, s); err != nil {
		return err
	}
	switch {
	case changed:
		r.event(svc, condition)
		for _, w := range s.Warnings {
			r.events.Event(svc, corev1.EventTypeWarning, w.Reason, w.Message)
		}
	case queueChange != nil && queue.Type != "":
		r.event(svc, queue)
	}
	return nil
}

// condition is Programmed as it should read, and whether it reads otherwise.
func (r *Reporter) condition(svc *corev1.Service, s Standing) (metav1.Condition, bool) {
	c := metav1.Condition{
		Type: Programmed, Status: metav1.ConditionTrue, Reason: "Programmed",
		Message: "the outside holds what this Service asks for",
	}
	switch {
	case len(s.Problems) > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, s.Problems[0].Reason, messageOf(s.Problems)
	case s.Queue != nil && s.Queue.Unknown && s.Queue.Reason != "":
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, s.Queue.Reason, s.Queue.Message
	case s.Members == 0 && s.VMs > 0:
		c.Reason, c.Message = "VMsOnly", "the outside holds what this Service asks for, and VMs alone take clients"
	case s.Members == 0 && (!s.Outside || len(s.Addresses) > 0):
		c.Reason, c.Message = "NoMembers", idleMessage(svc)
	}
	if len(s.Problems) == 0 && len(s.Warnings) > 0 {
		c.Message += "; but " + messageOf(s.Warnings)
	}
	return r.stamped(svc, c)
}

// longestMessage is what the API admits in a condition.
const longestMessage = 32768

// messageOf are the problems' messages, as the API stores them unchanged: what
// it altered would be written again for ever.
func messageOf(problems []state.Problem) string {
	var messages []string
	for _, p := range problems {
		if !slices.Contains(messages, p.Message) {
			messages = append(messages, p.Message)
		}
	}
	m := strings.ToValidUTF8(strings.Join(messages, "; "), "?")
	return strings.ToValidUTF8(m[:min(len(m), longestMessage)], "") // a cut may go through a character
}

// ingressOf is the Service's ingress as it should read, and whether it reads
// otherwise. Where it is not ours to write, it never does.
func ingressOf(svc *corev1.Service, s Standing) ([]corev1.LoadBalancerIngress, bool) {
	if !ingressOurs(svc, s.Addresses) || !s.Stand {
		return nil, false
	}
	mode := ipMode(svc)
	var ingress []corev1.LoadBalancerIngress
	for _, a := range s.Addresses {
		ip := a.IP.String() // without a route domain: it may be there twice
		if !slices.ContainsFunc(ingress, func(i corev1.LoadBalancerIngress) bool { return i.IP == ip }) {
			ingress = append(ingress, corev1.LoadBalancerIngress{IP: ip, IPMode: &mode})
		}
	}
	same := slices.EqualFunc(ingress, svc.Status.LoadBalancer.Ingress, func(a, b corev1.LoadBalancerIngress) bool {
		return a.IP == b.IP && b.Hostname == "" && b.IPMode != nil && *b.IPMode == mode
	})
	return ingress, !same
}

// ingressOurs says whether we write the Service's ingress: its type is
// LoadBalancer, and its class ours, or none with a partition and no ingress
// of somebody else. Ours is known by the annotation with the address, which
// is written after the ingress, or by the addresses that are wanted now.
func ingressOurs(svc *corev1.Service, wanted []state.Address) bool {
	if svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return false
	}
	if svc.Spec.LoadBalancerClass != nil {
		return *svc.Spec.LoadBalancerClass == translate.ClassBIGIP || *svc.Spec.LoadBalancerClass == translate.ClassBGP
	}
	written := map[string]bool{}
	for _, a := range slices.Concat(translate.Noted(svc), wanted) {
		written[a.IP.String()] = true // an ingress has no route domain
	}
	for _, i := range svc.Status.LoadBalancer.Ingress {
		if i.Hostname != "" || i.IPMode == nil || *i.IPMode != corev1.LoadBalancerIPModeProxy || !written[i.IP] {
			return false
		}
	}
	return true
}

// annotationsOf are the annotations that have to be written: those that read
// otherwise, and nil for one to be taken away.
func annotationsOf(svc *corev1.Service, s Standing) map[string]any {
	annotations := map[string]any{}
	if svc.Annotations[translate.AnnotationObserved] != s.Observed {
		annotations[translate.AnnotationObserved] = s.Observed
	}
	have, there := svc.Annotations[translate.AnnotationAddress]
	address := strings.Join(words(s.Addresses), ",")
	if s.Stand && (have != address || there && address == "") {
		annotations[translate.AnnotationAddress] = orNil(address)
	}
	return annotations
}

// annotate writes the address and the hash of what the condition speaks of.
func (r *Reporter) annotate(ctx context.Context, svc *corev1.Service, s Standing) error {
	annotations := annotationsOf(svc, s)
	if len(annotations) == 0 {
		return nil
	}
	patch := map[string]any{"metadata": map[string]any{"uid": svc.UID, "annotations": annotations}}
	if err := r.patch(ctx, svc, types.MergePatchType, patch); err != nil {
		return fmt.Errorf("annotations of Service %s/%s: %w", svc.Namespace, svc.Name, err)
	}
	return nil
}

func words(addresses []state.Address) []string {
	var words []string
	for _, a := range addresses {
		words = append(words, a.String())
	}
	return words
}

func (r *Reporter) event(svc *corev1.Service, c metav1.Condition) {
	kind := corev1.EventTypeNormal
	if c.Status != metav1.ConditionTrue {
		kind = corev1.EventTypeWarning
	}
	r.events.Event(svc, kind, c.Reason, c.Message)
}

// patch changes a Service's metadata. A Service that is gone needs nothing.
func (r *Reporter) patch(ctx context.Context, svc *corev1.Service, kind types.PatchType, patch map[string]any) error {
	return unlessGone(r.send(ctx, svc, kind, patch))
}

// patchStatus changes a Service's status; an empty patch is not sent.
func (r *Reporter) patchStatus(ctx context.Context, svc *corev1.Service, status map[string]any) error {
	if len(status) == 0 {
		return nil
	}
	patch := map[string]any{"metadata": map[string]any{"uid": svc.UID}, "status": status}
	if err := unlessGone(r.send(ctx, svc, types.StrategicMergePatchType, patch, "status")); err != nil {
		return fmt.Errorf("status of Service %s/%s: %w", svc.Namespace, svc.Name, err)
	}
	return nil
}

func (r *Reporter) send(ctx context.Context, svc *corev1.Service, kind types.PatchType, patch any, subresources ...string) error {
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	_, err = r.client.CoreV1().Services(svc.Namespace).Patch(ctx, svc.Name, kind, body,
		metav1.PatchOptions{FieldManager: "landbridge"}, subresources...)
	return err
}

// unlessGone is the error, but for that of a Service that is not there any
// more: it needs nothing.
func unlessGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
