package translate_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// brokered adds a broker to the scene: shop may consume orders.* and billing's
// invoices.
func brokered(c *config.Config) {
	c.MQ = &config.MQ{URLs: []string{"amqps://mq.example.com"}, CredentialsDir: "/etc/landbridge/mq", ManagementURLs: []string{"https://mq.example.com"}}
	c.Tenants[0].Consume = []string{"orders.*", "billing:invoices"}
}

// queued is a Service that has nothing but these annotations, "key=value".
func queued(annotations ...string) serviceOption {
	return func(s *corev1.Service) {
		clear(s.Annotations)
		for _, a := range annotations {
			key, value, _ := strings.Cut(a, "=")
			s.Annotations[translate.Prefix+key] = value
		}
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	byHand := pod("10.244.1.9", isReady) // somebody's own slice may name any address: nothing is posted there
	byHand.TargetRef = nil
	in := translate.Input{
		Service: service(queued("mq-consume=orders.work")),
		Slices:  []*discoveryv1.EndpointSlice{slice(pod("10.244.1.2", isReady), pod("10.244.1.3", notReady), pod("10.244.1.1", leaves), pod("10.244.1.4", published), byHand)},
	}
	got := translate.Queue(in, policy(t, brokered))
	want := translate.QueueResult{
		Asked: true, Good: map[string]string{"mq-consume": "orders.work"},
		Consumer: &state.QueueConsumer{
			Service: state.Ref{Namespace: "shop", Name: "cart"}, Queue: state.Queue{Vhost: "/", Name: "orders.work"}, Path: "/",
			Concurrency: 16, Timeout: 30 * time.Second, Retry: []time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute},
			MaxAttempts: 8, Ordering: state.OrderNone, Endpoints: []state.Endpoint{{Address: state.Address{IP: netip.MustParseAddr("10.244.1.2")}, Port: 8080}},
		},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b state.Endpoint) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r := translate.Service(in, policy(t, brokered)); !r.Addressed || len(r.Problems) > 0 || len(r.Want.Objects) > 0 {
		t.Errorf("a Service of a queue alone is for a BIG-IP: %+v", r)
	}
}

func TestQueueProblems(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change serviceOption
		policy func(*config.Config)
		want   string // reason and the beginning of the message
	}{
		{"no queue", queued("mq-path=/x"), brokered, "NotOptedIn: the Service has annotations of a queue"},
		{"a queue that is not granted", queued("mq-consume=bills"), brokered, "NotGranted: landbridge.dev/mq-consume: queue bills is not granted to namespace shop; granted are: billing:invoices, orders.*"},
		{"the queue of another vhost", queued("mq-consume=billing:orders.work"), brokered, "NotGranted"},
		{"no broker", queued("mq-consume=orders.work"), nil, "NoBroker"},
		{"a share without rates", queued("mq-consume=orders.work", "mq-pod-share=5"), func(c *config.Config) { brokered(c); c.MQ.ManagementURLs = nil }, "NeedsManagement"},
		{"a share of native pods", queued("mq-consume=orders.work", "mq-pod-share=5", "mq-mode=native"), brokered, "BadAnnotation: landbridge.dev/mq-pod-share has no effect"},
		{"a bad value", queued("mq-consume=orders.work", "mq-retry=3s"), brokered, `BadAnnotation: landbridge.dev/mq-retry: "3s" must be delays out of`},
		{"a misspelt key", queued("mq-consume=orders.work", "mq-retri=1s"), brokered, "UnknownAnnotation: landbridge.dev/mq-retri"},
		{"a port where there is none", queued("mq-consume=orders.work", "mq-path.http=/x"), brokered, "BadAnnotation: landbridge.dev/mq-path.http: mq-path holds for the whole Service"},
		{"two queues", queued("mq-consume=orders.work", "mq-consume.80=orders.more"), brokered, "BadAnnotation: landbridge.dev/mq-consume is there twice"},
		{"a port that is not there", queued("mq-consume.admin=orders.work"), brokered, `BadAnnotation: landbridge.dev/mq-consume.admin: the Service has no port "admin"`},
		{"several ports", func(s *corev1.Service) {
			queued("mq-consume=orders.work")(s)
			ports(port("http", 80, corev1.ProtocolTCP), port("admin", 81, corev1.ProtocolTCP))(s)
		}, brokered, "BadAnnotation: landbridge.dev/mq-consume: the Service has several TCP ports"},
		{"UDP alone", func(s *corev1.Service) {
			queued("mq-consume=orders.work")(s)
			ports(port("dns", 53, corev1.ProtocolUDP))(s)
		}, brokered, "BadAnnotation: landbridge.dev/mq-consume: messages are delivered by HTTP"},
		{"paused", queued("mq-consume=orders.work", "paused=all"), brokered, "Paused: landbridge.dev/paused is all: the queue is served as before"},
		{"plan only", queued("mq-consume=orders.work"), func(c *config.Config) { brokered(c); c.Mode = config.ModePlan }, "PlanOnly"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := policy(t)
			if test.policy != nil {
				p = policy(t, test.policy)
			}
			r := translate.Queue(translate.Input{Service: service(test.change)}, p)
			var got []string
			for _, problem := range r.Problems {
				got = append(got, problem.Reason+": "+problem.Message)
			}
			if len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if strings.Contains(test.name, "native") && !recorded(test.change, p) {
				t.Error("what was recorded before it was found fault with is served no longer")
			}
			if r.Consumer != nil || r.Good != nil {
				t.Errorf("with a problem there is %+v", r)
			}
		})
	}
}

// recorded says whether a Service is served by its annotations as they are, once
// they stand in last-good.
func recorded(change serviceOption, p translate.Policy) bool {
	svc := service(change)
	good := map[string]string{}
	for key, value := range svc.Annotations {
		good[strings.TrimPrefix(key, translate.Prefix)] = value
	}
	svc.Annotations[translate.AnnotationLastGood] = translate.WithLastGood(svc, annotation.Queue, good)
	return translate.Serving(translate.Input{Service: svc}, p) != nil
}

// What is served is what was good last: neither what is written and not yet
// recorded, nor what has gone bad; but never what is not granted.
func TestServing(t *testing.T) {
	t.Parallel()
	p := policy(t, brokered)
	svc := service(queued("mq-consume=orders.work"))
	served := func(what, want string) {
		t.Helper()
		got := ""
		if c := translate.Serving(translate.Input{Service: svc}, p); c != nil {
			got = c.Queue.String() + c.Path
		}
		if got != want {
			t.Errorf("%s: served is %q, want %q", what, got, want)
		}
	}
	served("before it is recorded", "")
	record := func() {
		r := translate.Queue(translate.Input{Service: svc}, p)
		svc.Annotations[translate.AnnotationLastGood] = translate.WithLastGood(svc, annotation.Queue, r.Good)
	}
	record()
	served("recorded", "orders.work/")
	svc.Annotations[translate.Prefix+"mq-path"] = "bad"
	served("gone bad", "orders.work/")
	svc.Annotations[translate.Prefix+"mq-path"] = "/good"
	served("good again, and not recorded yet", "orders.work/")
	record()
	served("recorded again", "orders.work/good")
	svc.Annotations[translate.AnnotationLastGood] = `{"queue":{"mq-consume":"payments.secret"}}`
	served("recorded by a tenant who wants more than is granted", "")
	svc.Annotations[translate.AnnotationLastGood] = "nonsense"
	served("spoilt", "")
	record()
	clear(svc.Annotations)
	served("opted out", "")
}

func TestLastGoodKeepsOtherParts(t *testing.T) {
	t.Parallel()
	svc := service()
	svc.Annotations[translate.AnnotationLastGood] = `{"bgp":{"bgp":"true"}}`
	both := translate.WithLastGood(svc, annotation.Queue, map[string]string{"mq-consume": "orders.work"})
	if want := `{"bgp":{"bgp":"true"},"queue":{"mq-consume":"orders.work"}}`; both != want {
		t.Errorf("got %s, want %s", both, want)
	}
	svc.Annotations[translate.AnnotationLastGood] = both
	if got := translate.WithLastGood(svc, annotation.Queue, nil); got != `{"bgp":{"bgp":"true"}}` {
		t.Errorf("without the queue: %s", got)
	}
}
