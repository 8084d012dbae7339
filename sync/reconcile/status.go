package reconcile

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

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
	// Unread are the backends that could not be read: what stands there is
	// not shown.
	Unread []UnreadBackend `json:"unread"`
	// Speakers are the BGP sessions, as each replica says.
	Speakers []Speaker `json:"speakers"`
}

// UnreadBackend is a backend that could not be read, and why.
type UnreadBackend struct {
	Backend string `json:"backend"`
	Error   string `json:"error"`
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
	// Problems are what keeps it from being as asked, and what there is to
	// know besides, reckoned now: without waiting for a controller.
	Problems []StatusProblem `json:"problems"`
	// Pending is how many changes outside are still to be made for it.
	Pending int `json:"pending"`
	// Pools are the Service's pools as they stand on the devices.
	Pools []PoolStatus `json:"pools"`
	// Routes are what is announced for it.
	Routes []RouteStatus `json:"routes"`
	// Queue is the queue that it serves, or asks to.
	Queue *QueueStatus `json:"queue,omitempty"`
}

// StatusProblem is one reason, in the words of the condition.
type StatusProblem struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// PoolStatus is how one pool stands on a device.
type PoolStatus struct {
	Backend  string         `json:"backend"`
	Path     string         `json:"path"`
	Frontend string         `json:"frontend,omitempty"` // of the virtual server that it is behind
	Share    *ShareStatus   `json:"share,omitempty"`    // of one with pods and VMs
	Members  []MemberStatus `json:"members"`
}

// MemberStatus is how one member stands on a device.
type MemberStatus struct {
	Endpoint string `json:"endpoint"`
	Ours     bool   `json:"ours"`
	Side     string `json:"side"`  // pod, vm, or other: another cluster's
	Admin    string `json:"admin"` // enabled, disabled or offline
	Up       bool   `json:"up"`    // by its monitor, or without one
	// DrainUntil is RFC 3339, "none" for a drain without an end, or empty.
	DrainUntil string `json:"drainUntil,omitempty"`
}

// Status sums the view up, one Service after the other, sorted.
func (v *View) Status(now time.Time) *Status {
	s := &Status{Schema: StatusSchema, Cluster: v.Config.Cluster, Services: []ServiceStatus{}, Unread: []UnreadBackend{}, Speakers: []Speaker{}}
	s.Speakers = append(s.Speakers, v.Speakers...)
	problems, pending := v.outlook(now)
	for _, seen := range v.services {
		status := v.status(seen)
		status.Problems = append(status.Problems, problems[status.Service]...)
		status.Pending = pending[status.Service]
		s.Services = append(s.Services, status)
	}
	for _, b := range v.Backends {
		if err := v.Unread[b.Name()]; err != nil {
			s.Unread = append(s.Unread, UnreadBackend{Backend: b.Name(), Error: err.Error()})
		}
	}
	slices.SortFunc(s.Services, func(a, b ServiceStatus) int { return strings.Compare(a.Service, b.Service) })
	return s
}

// Of is the status of some Services alone, without the sessions, which are of
// all.
func (s *Status) Of(of func(state.Ref) bool) *Status {
	part := *s
	part.Speakers = []Speaker{}
	part.Services = slices.DeleteFunc(slices.Clone(s.Services), func(svc ServiceStatus) bool {
		ref, ok := state.ParseRef(svc.Service)
		return !ok || !of(ref)
	})
	return &part
}

// outlook is what the plan of now says of each Service, by its name: what is
// wrong, and how many changes are to be made.
func (v *View) outlook(now time.Time) (problems map[string][]StatusProblem, pending map[string]int) {
	problems, pending = map[string][]StatusProblem{}, map[string]int{}
	plan := v.Plan(now)
	for _, p := range plan.Problems {
		problems[p.Service] = append(problems[p.Service], StatusProblem{Reason: p.Reason, Message: p.Message})
	}
	for _, b := range plan.Backends {
		for _, c := range b.Changes {
			pending[c.Service]++
		}
	}
	return problems, pending
}

func (v *View) status(seen seenService) ServiceStatus {
	svc := seen.service
	ref := state.Ref{Namespace: svc.Namespace, Name: svc.Name}
	s := ServiceStatus{
		Service: ref.String(), Addresses: []string{}, Problems: []StatusProblem{}, Pools: []PoolStatus{},
		Programmed: string(metav1.ConditionUnknown), Reason: "NotSeen", Message: "no controller has looked at this Service yet",
		Current: Current(svc),
	}
	for _, a := range v.addresses(seen) {
		s.Addresses = append(s.Addresses, a.String())
	}
	if c := meta.FindStatusCondition(svc.Status.Conditions, report.Programmed); c != nil {
		s.Programmed, s.Reason, s.Message = string(c.Status), c.Reason, c.Message
	}
	for _, b := range v.Backends {
		if v.have[b.Name()] == nil {
			continue
		}
		s.Pools = append(s.Pools, v.pools(b.Name(), seen)...)
	}
	if s.Queue = v.queues[ref]; s.Queue != nil {
		s.Problems = append(s.Problems, s.Queue.problems...)
	}
	s.Routes = v.routes(seen, meta.IsStatusConditionTrue(svc.Status.Conditions, report.Announced))
	return s
}

// addresses are those of a Service's virtual servers: as it asks for, or, of an
// adopted one that stands, as the device says.
func (v *View) addresses(seen seenService) []state.Address {
	addresses := slices.Clone(seen.result.Addresses)
	for _, o := range seen.result.Want.Objects {
		adopted, ok := o.(*state.VirtualServer)
		if !ok || adopted.Use != state.Adopted || v.have[adopted.Backend] == nil {
			continue
		}
		if at, ok := v.have[adopted.Backend].ListensAt(adopted.ID()); ok {
			addresses = append(addresses, at)
		}
	}
	return state.SortAddresses(addresses)
}

// Current says whether a Service's conditions speak of it as it is now.
func Current(svc *corev1.Service) bool {
	hash, err := translate.Observed(svc)
	return err == nil && svc.Annotations[translate.AnnotationObserved] == hash
}

func (v *View) pools(backend string, seen seenService) []PoolStatus {
	have, ref := v.have[backend], state.Ref{Namespace: seen.service.Namespace, Name: seen.service.Name}
	frontends := map[string]string{}
	for _, id := range have.Owned(ref) {
		o, _ := have.Get(id)
		if vs, ok := o.(*state.VirtualServer); ok && vs.Destination.IP.IsValid() {
			frontends[vs.Pool] = vs.Frontend().String()
		}
	}
	var pools []PoolStatus
	for _, id := range have.Owned(ref) {
		p, ok := have.Pool(backend, id.Name)
		if !ok || id.Kind != state.KindPool {
			continue
		}
		status := PoolStatus{Backend: backend, Path: p.Path, Frontend: frontends[p.Path], Share: v.shareOf(seen, p), Members: []MemberStatus{}}
		for _, m := range p.Members {
			status.Members = append(status.Members, MemberStatus{
				Endpoint: m.Endpoint.String(), Ours: v.Identity.Owns(m.Owner), Side: v.side(m).String(), Admin: m.Admin.String(),
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
	fmt.Fprintln(t, "SERVICE\tADDRESS\tPODS\tVMS\tUP\tDRAINING\tSHARE\tROUTES\tPROGRAMMED\tREASON")
	for _, svc := range s.Services {
		n := svc.count()
		address := strings.Join(svc.Addresses, ",")
		if address == "" {
			address = "-"
		}
		programmed := svc.Programmed
		if !svc.Current && svc.Programmed != string(metav1.ConditionUnknown) {
			programmed += " (of an earlier state)"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", svc.Service, address, n.pods, n.vms, n.up, n.draining, svc.shares(), svc.reach(), programmed, svc.Reason)
	}
	s.queueTable(t)
	s.sessionTable(t)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

// memberCount is how many members a Service has over all its pools.
type memberCount struct{ pods, vms, up, draining int }

func (s ServiceStatus) count() (n memberCount) {
	for _, p := range s.Pools {
		for _, m := range p.Members {
			switch m.Side {
			case podSide.String():
				n.pods++
			case vmSide.String():
				n.vms++
			}
			if m.Admin == state.Enabled.String() && m.Up {
				n.up++
			}
			if m.DrainUntil != "" {
				n.draining++
			}
		}
	}
	return n
}

// shares are those of its pools that have two sides, each once.
func (s ServiceStatus) shares() string {
	var shares []string
	for _, p := range s.Pools {
		if p.Share != nil && !slices.Contains(shares, p.Share.words()) {
			shares = append(shares, p.Share.words())
		}
	}
	if len(shares) == 0 {
		return "-"
	}
	return strings.Join(shares, ",")
}

// Words writes one Service with its reason and every member.
func (s ServiceStatus) Words(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s  Programmed=%s  %s: %s\n", s.Service, s.Programmed, s.Reason, s.Message)
	if !s.Current && s.Programmed != string(metav1.ConditionUnknown) {
		fmt.Fprintln(t, "  the condition is of an earlier state of the Service; the controller has not come to this one yet")
	}
	for _, p := range s.Problems {
		if !strings.Contains(s.Message, p.Message) {
			fmt.Fprintf(t, "  %s: %s\n", p.Reason, p.Message)
		}
	}
	if s.Pending > 0 {
		fmt.Fprintf(t, "  changes still to be made: %d; see `landbridge plan`\n", s.Pending)
	}
	s.routeWords(t)
	s.Queue.words(t)
	if len(s.Pools) == 0 && len(s.Routes) == 0 && s.Queue == nil {
		fmt.Fprintln(t, "  nothing of it stands on a device")
	}
	for _, p := range s.Pools {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", p.Backend, p.Path, p.Frontend)
		if p.Share != nil {
			fmt.Fprintf(t, "    %s\n", p.Share.sentence())
		}
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
	if m.Side == vmSide.String() {
		words = append(words, "VM")
	}
	if !m.Ours {
		words = append(words, "not ours")
	}
	return strings.Join(words, ", ")
}
