package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/translate"
)

// A Service is waited for until all of its parts are as asked; conditions of
// others say nothing of that.
func TestWaitLooksAtAllConditions(t *testing.T) {
	t.Parallel()
	programmed := metav1.Condition{Type: "landbridge.dev/Programmed", Status: metav1.ConditionTrue}
	for _, test := range []struct {
		name    string
		more    metav1.Condition
		deleted bool
		want    string
	}{
		{name: "all true", more: metav1.Condition{Type: "landbridge.dev/BGP", Status: metav1.ConditionTrue}},
		{name: "somebody else's", more: metav1.Condition{Type: "example.com/BGP", Status: metav1.ConditionFalse}},
		{
			name: "not announced", want: "landbridge.dev/BGP: NoNextHop: nothing leads there",
			more: metav1.Condition{Type: "landbridge.dev/BGP", Status: metav1.ConditionFalse, Reason: "NoNextHop", Message: "nothing leads there"},
		},
		{
			name: "not known", want: "landbridge.dev/Queue: BrokerUnknown: it does not answer",
			more: metav1.Condition{Type: "landbridge.dev/Queue", Status: metav1.ConditionUnknown, Reason: "BrokerUnknown", Message: "it does not answer"},
		},
		{name: "on its way out", deleted: true, more: programmed, want: "it is being deleted"},
	} {
		svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{translate.Prefix + "partition": "web"}}}
		svc.Status.Conditions = []metav1.Condition{programmed, test.more}
		hash, err := translate.Observed(svc)
		if err != nil {
			t.Fatal(err)
		}
		svc.Annotations[translate.AnnotationObserved] = hash
		if test.deleted {
			svc.DeletionTimestamp = &metav1.Time{}
		}
		got := ""
		if err := standing(svc); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
