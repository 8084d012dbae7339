package report

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/translate"
)

// Announced is the condition that says whether the routes of a Service are
// announced.
const Announced = translate.ConditionBGP

// VMs is the condition that says which VMs may register for a Service, and
// whether they do.
const VMs = translate.Prefix + "VMs"

// partTypes are the conditions of parts.
func partTypes() []string { return []string{Announced, VMs} }

// conditions are all conditions that have to be written: those that read
// otherwise, and those of parts that are not used any more, to be taken away.
func (r *Reporter) conditions(svc *corev1.Service, s Standing) []any {
	var all []any
	if c, changed := r.condition(svc, s); changed {
		all = append(all, c)
	}
	used := map[string]bool{}
	for _, c := range s.Parts {
		used[c.Type] = true
		if c, changed := r.stamped(svc, c); changed {
			all = append(all, c)
		}
	}
	for _, kind := range partTypes() {
		if !used[kind] {
			all = append(all, without(svc, kind)...)
		}
	}
	return all
}

// without takes conditions away that the Service has.
func without(svc *corev1.Service, kinds ...string) []any {
	var all []any
	for _, kind := range kinds {
		if meta.FindStatusCondition(svc.Status.Conditions, kind) != nil {
			all = append(all, map[string]any{"$patch": "delete", "type": kind})
		}
	}
	return all
}

// stamped is a condition with the time of its transition, and whether the
// Service has it otherwise.
func (r *Reporter) stamped(svc *corev1.Service, c metav1.Condition) (metav1.Condition, bool) {
	have := meta.FindStatusCondition(svc.Status.Conditions, c.Type)
	if have != nil && have.Status == c.Status && have.Reason == c.Reason && have.Message == c.Message {
		return c, false
	}
	c.LastTransitionTime = metav1.NewTime(r.now())
	if have != nil && have.Status == c.Status {
		c.LastTransitionTime = have.LastTransitionTime
	}
	return c, true
}

// NotAsAskedSince is the first time since which one of our conditions is False;
// the zero Time where none is.
func NotAsAskedSince(svc *corev1.Service) (since time.Time) {
	for _, c := range svc.Status.Conditions {
		at := c.LastTransitionTime.Time
		if strings.HasPrefix(c.Type, translate.Prefix) && c.Status == metav1.ConditionFalse && (since.IsZero() || at.Before(since)) {
			since = at
		}
	}
	return since
}

// ipMode is how nodes are to treat the Service's address: one on nodes they may
// take a short cut to, one on a BIG-IP they must not.
func ipMode(svc *corev1.Service) corev1.LoadBalancerIPMode {
	if translate.OnNodes(svc) {
		return corev1.LoadBalancerIPModeVIP
	}
	return corev1.LoadBalancerIPModeProxy
}

func idleMessage(svc *corev1.Service) string {
	if translate.OnNodes(svc) {
		return "nothing is announced, since no endpoint takes clients"
	}
	return "the virtual servers stand, and no endpoint takes clients"
}

// orNil is a value of a merge patch: nil takes the key away.
func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
