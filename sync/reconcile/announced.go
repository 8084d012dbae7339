package reconcile

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// parts are the conditions of the parts that a Service uses. told is what the
// speaker said last.
func parts(svc *corev1.Service, result translate.Result, told apply.Report) []metav1.Condition {
	c, ok := announced(svc, result, told)
	if !ok {
		return nil
	}
	if c.Reason == "" { // on its way
		if have := meta.FindStatusCondition(svc.Status.Conditions, report.Announced); have != nil {
			return []metav1.Condition{*have}
		}
		return nil
	}
	return []metav1.Condition{c}
}

// announced is the condition of a Service's routes; not ok without any, and
// where none were ever asked for. Its reason is empty while it is not known yet.
func announced(svc *corev1.Service, result translate.Result, told apply.Report) (c metav1.Condition, ok bool) {
	c = metav1.Condition{Type: report.Announced, Status: metav1.ConditionFalse}
	var routes []*state.Route
	for _, o := range result.Want.Objects {
		if r, is := o.(*state.Route); is {
			routes = append(routes, r)
		}
	}
	asked := result.LastGood != "" || translate.AsksRoutes(svc)
	if len(routes) == 0 && (result.Want.Routes == state.Follow || !asked) {
		return c, false
	}
	problems := told.Problems
	if result.Want.Routes > state.Follow {
		problems = slices.Concat(result.Problems, problems)
	}
	problems = slices.DeleteFunc(slices.Clone(problems), func(p state.Problem) bool { return p.Notice })
	switch {
	case len(problems) > 0:
		c.Reason = problems[0].Reason
		var messages []string
		for _, p := range problems {
			messages = append(messages, p.Message)
		}
		c.Message = strings.Join(slices.Compact(messages), "; ")
	case told.Backend == "":
	case !told.Settled:
		c.Reason, c.Message = "Waiting", "announced as soon as its virtual servers stand"
	default:
		c = reach(routes)
	}
	return c, true
}

// reach says in words what is announced of routes, without their next hops,
// which come and go.
func reach(routes []*state.Route) metav1.Condition {
	c := metav1.Condition{Type: report.Announced, Status: metav1.ConditionTrue, Reason: "Announced"}
	var there, none []string
	for _, r := range routes {
		if len(r.NextHops) == 0 {
			none = append(none, r.Prefix.String())
			continue
		}
		there = append(there, r.Prefix.String()+" to "+strings.Join(r.Peers, ", "))
	}
	c.Message = "announced: " + strings.Join(there, "; ")
	switch {
	case len(none) == 0:
	case len(there) == 0:
		c.Status, c.Reason = metav1.ConditionFalse, "NoNextHop"
		c.Message = "nothing leads to " + strings.Join(none, ", ") + " now, so that it is not announced"
	default:
		c.Message += "; nothing leads to " + strings.Join(none, ", ") + " now"
	}
	return c
}
