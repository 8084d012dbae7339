package translate

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// How messages are delivered unless an annotation says otherwise.
const (
	defaultConcurrency = 16
	defaultTimeout     = 30 * time.Second
	defaultAttempts    = 8
)

func defaultRetry() []time.Duration {
	return []time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute}
}

// QueueResult is what a Service asks of the broker.
type QueueResult struct {
	// Asked says whether the Service speaks of queues at all.
	Asked bool
	// Consumer is how it wants its queue to be served; nil with a problem,
	// and where it wants none.
	Consumer *state.QueueConsumer
	// Good are the annotations that Consumer was made of, without Prefix:
	// what LastGood has to say before it is used.
	Good     map[string]string
	Problems []state.Problem
}

// Queue reads which queue a Service wants to serve, and how. Serving tells
// what it may serve now.
func Queue(in Input, p Policy) QueueResult {
	t := &translation{Input: in, Policy: p, ref: in.Ref()}
	result := QueueResult{Asked: AsksQueue(in.Service)}
	if !result.Asked || in.Service.DeletionTimestamp != nil {
		return result
	}
	if t.queuePaused() {
		result.Problems = t.problems
		return result
	}
	c, good := t.queue()
	if _, written := good["mq-pod-share"]; written && c != nil && c.Native {
		t.hold("BadAnnotation", "%smq-pod-share has no effect with %[1]smq-mode: native, where the pods take what they want: take it away", Prefix)
	}
	slices.SortFunc(t.problems, state.Problem.Compare)
	if result.Problems = t.problems; len(t.problems) == 0 {
		result.Consumer, result.Good = c, good
	}
	return result
}

// Serving is how a Service's queue is served now: as its annotations were good
// last, with the endpoints and the grants that it has today. A bad annotation
// changes nothing of it; what is not granted any more is served no longer. nil
// is a Service that serves no queue.
func Serving(in Input, p Policy) *state.QueueConsumer {
	if !AsksQueue(in.Service) || in.Service.DeletionTimestamp != nil {
		return nil
	}
	in.Service = asGood(in.Service, annotation.Queue)
	t := &translation{Input: in, Policy: p, ref: in.Ref()}
	if c, _ := t.queue(); len(t.problems) == 0 {
		return c
	}
	return nil
}

// AsksQueue says whether a Service has an annotation of queues.
func AsksQueue(svc *corev1.Service) bool { return asks(svc, annotation.Queue) }

// asksBIGIP says whether a Service speaks to the BIG-IP's part, be it by a key
// that nobody knows.
func asksBIGIP(svc *corev1.Service) bool {
	return asks(svc, annotation.BIGIP) || asks(svc, nobodys) || (svc.Spec.LoadBalancerClass != nil && *svc.Spec.LoadBalancerClass == ClassBIGIP)
}

// nobodys is the part of keys that are unknown.
const nobodys annotation.Part = ""

// asks says whether a Service has an annotation of a part.
func asks(svc *corev1.Service, part annotation.Part) bool {
	for name := range svc.Annotations {
		if of, ok := partOf(name); ok && of == part {
			return true
		}
	}
	return false
}

// partOf is the part that an annotation speaks to; not ok for one that says
// nothing to Landbridge. A misspelt mq-… is one of queues.
func partOf(name string) (annotation.Part, bool) {
	name, _, _, ok := annotation.Read(name)
	key, known := annotation.Find(name)
	switch {
	case !ok || key.Written:
		return nobodys, false
	case known:
		return key.Part, true
	case strings.HasPrefix(name, "mq-"):
		return annotation.Queue, true
	}
	return nobodys, true
}

// queuePaused says whether the settings of the queue are frozen, and why.
func (t *translation) queuePaused() bool {
	switch paused := strings.TrimSpace(t.Service.Annotations[Prefix+"paused"]); {
	case t.Config.Paused:
		t.hold("Paused", "the configuration says paused: true: the queue is served as before")
	case t.Config.Mode == config.ModePlan:
		t.hold("PlanOnly", "the configuration says mode: plan: the queue is served as before")
	case paused == "all" || paused == "config":
		t.hold("Paused", "%spaused is %s: the queue is served as before", Prefix, paused)
	default:
		return false
	}
	return true
}

// queue reads the annotations of the queue, and gives them back without Prefix.
func (t *translation) queue() (*state.QueueConsumer, map[string]string) {
	good := map[string]string{}
	texts := map[string]string{} // by key, without the port
	port := wholeService
	for _, from := range slices.Sorted(maps.Keys(t.Service.Annotations)) {
		name, suffix, hasSuffix, ok := annotation.Read(from)
		key, known := annotation.Find(name)
		part, speaks := partOf(from)
		switch {
		case !ok || !speaks || part != annotation.Queue:
			continue // another part finds fault with it
		case !known:
			t.hold("UnknownAnnotation", "%s is no annotation of Landbridge; the reference lists them", from)
			continue
		case hasSuffix && !key.Port:
			t.hold("BadAnnotation", "%s: %s holds for the whole Service and takes no port", from, name)
			continue
		}
		text := strings.TrimSpace(t.Service.Annotations[from])
		if _, twice := texts[name]; twice {
			t.hold("BadAnnotation", "%s%s is there twice, with a port and without or with two ports; a Service serves one queue", Prefix, name)
			continue
		}
		if hasSuffix {
			port = t.portNamed(from, suffix)
		}
		if err := key.Check(text); err != nil {
			t.hold("BadAnnotation", "%s: %v", from, err)
		}
		texts[name], good[strings.TrimPrefix(from, Prefix)] = text, text
	}
	if len(t.problems) > 0 {
		return nil, nil
	}
	if texts["mq-consume"] == "" {
		t.hold("NotOptedIn", "the Service has annotations of a queue, but does not say which: add %smq-consume", Prefix)
		return nil, nil
	}
	c := t.consumer(texts)
	t.grantQueue(c)
	if c.Endpoints = t.podAddresses(); !c.Native {
		c.Endpoints = t.takers(port)
	}
	return c, good
}

// consumer makes a consumer of values that have been checked.
func (t *translation) consumer(texts map[string]string) *state.QueueConsumer {
	c := &state.QueueConsumer{
		Service: t.ref, Native: texts["mq-mode"] == "native", Path: "/",
		Concurrency: defaultConcurrency, Timeout: defaultTimeout, Retry: defaultRetry(), MaxAttempts: defaultAttempts,
		Ordering: state.OrderNone, Created: t.Service.CreationTimestamp.Time,
	}
	// The errors were told by the checks.
	c.Queue.Vhost, c.Queue.Name, _ = annotation.ParseQueue(texts["mq-consume"])
	for name, text := range texts {
		switch name {
		case "mq-path":
			c.Path = text
		case "mq-concurrency":
			c.Concurrency, _ = annotation.ParseConcurrency(text)
		case "mq-timeout":
			c.Timeout, _ = annotation.ParseTimeout(text)
		case "mq-retry":
			c.Retry, _ = annotation.ParseRetry(text)
		case "mq-max-attempts":
			c.MaxAttempts, _ = annotation.ParseAttempts(text)
		case "mq-ordering":
			ordering, header, _ := annotation.ParseOrdering(text)
			c.Ordering, c.OrderHeader = state.Ordering(ordering), header
		case "mq-priority":
			c.Priority, _ = annotation.ParsePriority(text)
		case "mq-pod-share":
			c.PodShare, _ = annotation.ParseShare(text)
		}
	}
	return c
}

// grantQueue checks that a tenant's entry allows the queue.
func (t *translation) grantQueue(c *state.QueueConsumer) {
	if t.Config.MQ == nil {
		t.hold("NoBroker", "the configuration has no section mq")
		return
	}
	if c.PodShare > 0 && c.PodShare < 100 && len(t.Config.MQ.ManagementURLs) == 0 {
		t.hold("NeedsManagement", "%smq-pod-share: %d needs the rates of the other side, which only the management API has: the configuration has no mq.managementURLs; 0 and 100 do without", Prefix, c.PodShare)
	}
	var granted []string
	for _, entry := range t.Config.Tenants {
		if !entry.Covers(t.ref.Namespace, t.NamespaceLabels) {
			continue
		}
		if entry.GrantsConsume(c.Queue.Vhost, c.Queue.Name) {
			return
		}
		granted = append(granted, entry.Consume...)
	}
	t.hold("NotGranted", "%smq-consume: queue %s is not granted to namespace %s; granted are: %s", Prefix, c.Queue, t.ref.Namespace, listed(granted))
}

// takers are the ready endpoints of the port that takes messages: the one that
// was named, or else the only one with TCP.
func (t *translation) takers(port int) []state.Endpoint {
	if t.Service.Spec.Type == corev1.ServiceTypeExternalName {
		t.hold("ExternalName", "a Service of type ExternalName has no endpoints to deliver messages to")
		return nil
	}
	if port == wholeService {
		for i, p := range t.Service.Spec.Ports {
			if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
				continue
			}
			if port != wholeService {
				t.hold("BadAnnotation", "%smq-consume: the Service has several TCP ports; say which takes messages: %[1]smq-consume.PORT", Prefix)
				return nil
			}
			port = i
		}
	}
	if port == wholeService || t.Service.Spec.Ports[port].Protocol == corev1.ProtocolUDP {
		t.hold("BadAnnotation", "%smq-consume: messages are delivered by HTTP, which takes a TCP port", Prefix)
		return nil
	}
	seen := &translation{Input: t.Input, Policy: t.Policy, ref: t.ref} // what is wrong with members is said elsewhere
	for _, six := range []bool{false, true} {
		var takers []state.Endpoint
		for _, e := range seen.pods(t.Service.Spec.Ports[port], six) {
			if e.condition == ready {
				takers = append(takers, e.Endpoint)
			}
		}
		if len(takers) > 0 {
			return takers // a pod of both families is one pod
		}
	}
	return nil
}

// podAddresses are those of the Service's pods, without ports: by them the
// consumers of native pods are known.
func (t *translation) podAddresses() []state.Endpoint {
	var pods []state.Endpoint
	for _, slice := range t.Slices {
		for _, e := range slice.Endpoints {
			if len(e.Addresses) == 0 || isVM(e) || conditionOf(e.Conditions) == gone {
				continue
			}
			if a, err := state.ParseAddress(e.Addresses[0]); err == nil {
				pods = append(pods, state.Endpoint{Address: a})
			}
		}
	}
	slices.SortFunc(pods, state.Endpoint.Compare)
	return slices.Compact(pods)
}
