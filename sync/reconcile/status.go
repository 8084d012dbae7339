package reconcile

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// StatusSchema is the version of the shape of Status.
const StatusSchema = "landbridge.dev/status/v1"

// Status is how every Service that speaks to Landbridge stands: the answer of
// `landbridge status -o json`.
type Status struct {
	Schema   string          `json:"schema"`
	Cluster  string          `json:"cluster"`
	Services []ServiceStatus `json:"services"`
}

// ServiceStatus is how one Service stands.
type ServiceStatus struct {
	Service   string   `json:"service"`
	Addresses []string `json:"addresses"`
	// Programmed is the condition: True, False or, before a controller has
	// looked at it, Unknown. Current says that it speaks of the Service as
	// it is now.
	Programmed string `json:"programmed"`
	Current    bool   `json:"current"`
	Reason     string `json:"reason"`
	Message    string `json:"message"`
	// Pools are the Service's pools as they stand on the devices.
	Pools []PoolStatus `json:"pools"`
}

// PoolStatus is how one pool stands on a device.
type PoolStatus struct {
	Backend  string         `json:"backend"`
	Path     string         `json:"path"`
	Frontend string         `json:"frontend,omitempty"` // of the virtual server that it is behind
	Members  []MemberStatus `json:"members"`
}

// MemberStatus is how one member stands on a device.
type MemberStatus struct {
	Endpoint string `json:"endpoint"`
	Ours     bool   `json:"ours"`
	Admin    string `json:"admin"` // enabled, disabled or offline
	Up       bool   `json:"up"`    // by its monitor, or without one
	// DrainUntil is RFC 3339, "none" for a drain without an end, or empty.
	DrainUntil string `json:"drainUntil,omitempty"`
}

// Status sums the view up, one Service after the other, sorted.
func (v *View) Status() *Status {
	s := &Status{Schema: StatusSchema, Cluster: v.Config.Cluster, Services: []ServiceStatus{}}
	for _, seen := range v.services {
		s.Services = append(s.Services, v.status(seen))
	}
	slices.SortFunc(s.Services, func(a, b ServiceStatus) int { return strings.Compare(a.Service, b.Service) })
	return s
}

func (v *View) status(seen seenService) ServiceStatus {
	svc := seen.service
	ref := state.Ref{Namespace: svc.Namespace, Name: svc.Name}
	s := ServiceStatus{
		Service: ref.String(), Addresses: []string{}, Pools: []PoolStatus{},
		Programmed: string(metav1.ConditionUnknown), Reason: "NotSeen", Message: "no controller has looked at this Service yet",
		Current: Current(svc),
	}
	for _, a := range seen.result.Addresses {
		s.Addresses = append(s.Addresses, a.String())
	}
	if c := meta.FindStatusCondition(svc.Status.Conditions, report.Programmed); c != nil {
		s.Programmed, s.Reason, s.Message = string(c.Status), c.Reason, c.Message
	}
	for _, b := range v.Backends {
		s.Pools = append(s.Pools, v.pools(b.Name(), ref)...)
	}
	return s
}

// Current says whether a Service's conditions speak of it as it is now.
func Current(svc *corev1.Service) bool {
	hash, err := translate.Observed(svc)
	return err == nil && svc.Annotations[translate.AnnotationObserved] == hash
}

func (v *View) pools(backend string, ref state.Ref) []PoolStatus {
	have := v.have[backend]
	frontends := map[string]string{}
	for _, id := range have.Owned(ref) {
		if o, _ := have.Get(id); id.Kind == state.KindVirtualServer {
			vs := o.(*state.VirtualServer)
			frontends[vs.Pool] = vs.Frontend().String()
		}
	}
	var pools []PoolStatus
	for _, id := range have.Owned(ref) {
		p, ok := have.Pool(backend, id.Name)
		if !ok || id.Kind != state.KindPool {
			continue
		}
		status := PoolStatus{Backend: backend, Path: p.Path, Frontend: frontends[p.Path], Members: []MemberStatus{}}
		for _, m := range p.Members {
			status.Members = append(status.Members, MemberStatus{
				Endpoint: m.Endpoint.String(), Ours: v.Identity.Owns(m.Owner), Admin: m.Admin.String(),
				Up: m.Available, DrainUntil: m.Drain.String(),
			})
		}
		pools = append(pools, status)
	}
	return pools
}

// JSON writes the status for programs.
func (s *Status) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(s)
}

// Table writes a line for each Service.
func (s *Status) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SERVICE\tADDRESS\tMEMBERS\tUP\tDRAINING\tPROGRAMMED\tREASON")
	for _, svc := range s.Services {
		members, up, draining := svc.count()
		address := strings.Join(svc.Addresses, ",")
		if address == "" {
			address = "-"
		}
		programmed := svc.Programmed
		if !svc.Current && svc.Programmed != string(metav1.ConditionUnknown) {
			programmed += " (of an earlier state)"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", svc.Service, address, members, up, draining, programmed, svc.Reason)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

func (s ServiceStatus) count() (members, up, draining int) {
	for _, p := range s.Pools {
		for _, m := range p.Members {
			members++
			if m.Admin == state.Enabled.String() && m.Up {
				up++
			}
			if m.DrainUntil != "" {
				draining++
			}
		}
	}
	return members, up, draining
}

// Words writes one Service with its reason and every member.
func (s ServiceStatus) Words(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s  Programmed=%s  %s: %s\n", s.Service, s.Programmed, s.Reason, s.Message)
	if !s.Current && s.Programmed != string(metav1.ConditionUnknown) {
		fmt.Fprintln(t, "  the condition is of an earlier state of the Service; the controller has not come to this one yet")
	}
	if len(s.Pools) == 0 {
		fmt.Fprintln(t, "  nothing of it stands on a device")
	}
	for _, p := range s.Pools {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", p.Backend, p.Path, p.Frontend)
		for _, m := range p.Members {
			fmt.Fprintf(t, "    %s\t%s\n", m.Endpoint, m.words())
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

func (m MemberStatus) words() string {
	words := []string{m.Admin}
	if m.Admin == state.Enabled.String() {
		words = append(words, map[bool]string{true: "up", false: "not up by its monitor"}[m.Up])
	}
	if m.DrainUntil != "" {
		words = append(words, "draining, until "+m.DrainUntil)
	}
	if !m.Ours {
		words = append(words, "not ours")
	}
	return strings.Join(words, ", ")
}
