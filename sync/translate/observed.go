package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"landbridge.dev/config/annotation"
)

// Observed is a hash of all of a Service that decides what is made outside:
// its spec and the annotations that are not written by Landbridge. It is 16
// hex digits.
func Observed(svc *corev1.Service) (string, error) {
	annotations := map[string]string{}
	for key, value := range svc.Annotations {
		if name, ok := strings.CutPrefix(key, Prefix); ok && !annotation.IsWritten(name) {
			annotations[key] = value
		}
	}
	body, err := json.Marshal(struct { // maps are marshalled in the order of their keys
		Annotations map[string]string
		Spec        corev1.ServiceSpec
	}{annotations, svc.Spec})
	if err != nil {
		return "", fmt.Errorf("service %s/%s: %w", svc.Namespace, svc.Name, err)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8]), nil
}
