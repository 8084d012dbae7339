package translate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config/annotation"
)

// What the commands write on a Service for people.

// WithShare is a Service with another share for its pods: of one port, where
// one is named, else of all. key is the annotation that says so; an error says
// why there is none that would hold.
func WithShare(svc *corev1.Service, share, port string) (changed *corev1.Service, key string, err error) {
	if _, err := annotation.ParseShare(share); err != nil {
		return nil, "", fmt.Errorf("share %w", err)
	}
	if !Addressed(svc) {
		return nil, "", fmt.Errorf("the Service has no annotation of Landbridge: say with one where it is to be served")
	}
	if svc.DeletionTimestamp != nil {
		return nil, "", fmt.Errorf("the Service is being deleted")
	}
	if key, err = shareKey(svc, port); err != nil {
		return nil, "", err
	}
	changed = svc.DeepCopy()
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations[key] = share
	return changed, key, nil
}

// shareKey is the annotation for the share of a port, or of all: one that is
// there already, under whatever name it has the port.
func shareKey(svc *corev1.Service, port string) (string, error) {
	const whole = Prefix + "pod-share"
	var standing []string
	for name := range svc.Annotations {
		if strings.HasPrefix(name, whole+".") {
			standing = append(standing, name)
		}
	}
	slices.Sort(standing)
	if port == "" {
		if len(standing) > 0 {
			return "", fmt.Errorf("%s would win over a share without a port: name one with --port", strings.Join(standing, ", "))
		}
		return whole, nil
	}
	found := PortsNamed(svc, port)
	switch len(found) {
	case 0:
		return "", fmt.Errorf("the Service has no port %q; it has: %s", port, strings.Join(portNames(svc), ", "))
	case 1:
	default:
		return "", fmt.Errorf("the Service has port %s for TCP and for UDP: write %s-tcp or %s-udp", port, port, port)
	}
	for _, name := range standing {
		if slices.Equal(PortsNamed(svc, strings.TrimPrefix(name, whole+".")), found) {
			return name, nil
		}
	}
	return whole + "." + port, nil
}

func portNames(svc *corev1.Service) []string {
	var names []string
	for _, p := range svc.Spec.Ports {
		if name := p.Name; name != "" {
			names = append(names, name)
		} else {
			names = append(names, strconv.Itoa(int(p.Port)))
		}
	}
	return names
}

// Keys are the annotations of Landbridge that people wrote on a Service,
// sorted.
func Keys(svc *corev1.Service) []string {
	var keys []string
	for key := range svc.Annotations {
		if name, ok := strings.CutPrefix(key, Prefix); ok && !annotation.IsWritten(name) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Leaving is a Service that leaves us, with what it says of how: keep leaves
// standing outside what was made for it. An error says what else has to be
// done where annotations alone cannot bring it about.
func Leaving(svc *corev1.Service, keep bool) (*corev1.Service, error) {
	if (isClass(svc, ClassBIGIP) || OnNodes(svc)) && svc.DeletionTimestamp == nil {
		first := ""
		if keep && isClass(svc, ClassBIGIP) {
			first = "annotate it with " + Prefix + "deletion-policy=orphan, "
		}
		return nil, fmt.Errorf("it has spec.loadBalancerClass %s, which no annotation takes away: %s"+
			"patch it with {\"spec\":{\"type\":\"ClusterIP\",\"loadBalancerClass\":null}}, and run this command again", *svc.Spec.LoadBalancerClass, first)
	}
	changed := svc.DeepCopy()
	for _, key := range Keys(svc) {
		if key != Prefix+"drain-timeout" { // it holds for its members to the last
			delete(changed.Annotations, key)
		}
	}
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations[Prefix+"deletion-policy"] = map[bool]string{true: "orphan", false: "delete"}[keep]
	return changed, nil
}
