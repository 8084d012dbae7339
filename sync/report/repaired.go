package report

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/sync/plan"
)

// mostNamed is how many objects an event names: the API admits 1024 bytes.
const mostNamed = 5

// Repaired tells by an event what of a Service's others had changed on a
// backend, and was put back. It writes nothing else: the Service is as it was.
func (r *Reporter) Repaired(svc *corev1.Service, backend string, changes []plan.Change) {
	var words []string
	for _, c := range changes[:min(len(changes), mostNamed)] {
		id := c.ID()
		word := string(c.Op) + " " + string(id.Kind) + " " + id.Name
		if id.Member.IP.IsValid() {
			word += " " + id.Member.String()
		}
		words = append(words, word)
	}
	if more := len(changes) - mostNamed; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	r.events.Event(svc, corev1.EventTypeWarning, "DriftRepaired",
		"something of this Service was changed on "+backend+" by others, and put back: "+strings.Join(words, ", "))
}
