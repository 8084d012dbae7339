// Package inquiry is how people ask the running controller what it knows: by an
// object that they make in a namespace, and the controller answers in. The API
// server says who may, so that a namespace tells its own people of its own
// Services, and nobody but the controller needs to reach a device.
package inquiry

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Resource is that of inquiries (deploy/inquiries.yaml).
func Resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "landbridge.dev", Version: "v1", Resource: "inquiries"}
}

const kind = "Inquiry"

// What can be asked about.
const (
	Status = "status"
	Plan   = "plan"
)

// Question is what an Inquiry's spec says.
type Question struct {
	// About is Status or Plan.
	About string `json:"about"`
	// Namespace is that of the Services asked about: of the Inquiry. It is
	// empty for all, which may be asked in the controller's namespace alone,
	// by AllNamespaces.
	Namespace     string `json:"-"`
	AllNamespaces bool   `json:"allNamespaces,omitempty"`
	// Service is the name of one; empty for all of the namespace.
	Service string `json:"service,omitempty"`
	// MeasureSeconds is for how long the share is measured, 0 to 60.
	MeasureSeconds int `json:"measureSeconds,omitempty"`
}

// answered is an Inquiry's status.
type answered struct {
	// Answer is JSON, packed by gzip and base64.
	Answer string `json:"answer,omitempty"`
	Error  string `json:"error,omitempty"`
}

// How long an Inquiry stays that nobody took away, and how large an answer may
// be: an API server takes no object of more than 1.5 MB.
const (
	stays       = 5 * time.Minute
	mostAnswer  = 1 << 20
	mostMeasure = 60
)

var errTooLarge = errors.New("the answer is too large for the API server: ask about one namespace or Service, or read by yourself with --local")

// pack makes an answer of what is to be said.
func pack(say any) (string, error) {
	var packed bytes.Buffer
	to := base64.NewEncoder(base64.StdEncoding, &packed)
	z := gzip.NewWriter(to)
	if err := errors.Join(json.NewEncoder(z).Encode(say), z.Close(), to.Close()); err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	if packed.Len() > mostAnswer {
		return "", errTooLarge
	}
	return packed.String(), nil
}

// unpack is the JSON of an answer.
func unpack(answer string) ([]byte, error) {
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader([]byte(answer))))
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return text, nil
}

// object is an Inquiry to be made.
func (q Question) object() (*unstructured.Unstructured, error) {
	spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&q)
	if err != nil {
		return nil, fmt.Errorf("inquiry: %w", err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(Resource().GroupVersion().WithKind(kind))
	u.SetGenerateName("landbridge-")
	return u, nil
}

// questionOf is what an Inquiry asks, home being the controller's namespace.
func questionOf(u *unstructured.Unstructured, home string) (Question, error) {
	var q Question
	spec, _, err := unstructured.NestedMap(u.Object, "spec")
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &q)
	}
	q.Namespace = u.GetNamespace()
	switch {
	case err != nil:
		return q, fmt.Errorf("spec: %w", err)
	case q.About != Status && q.About != Plan:
		return q, fmt.Errorf("spec.about: %q must be %s or %s", q.About, Status, Plan)
	case q.MeasureSeconds < 0 || q.MeasureSeconds > mostMeasure:
		return q, fmt.Errorf("spec.measureSeconds: %d must be 0 to %d", q.MeasureSeconds, mostMeasure)
	case q.AllNamespaces && q.Namespace != home:
		return q, fmt.Errorf("spec.allNamespaces: all namespaces may be asked about in the controller's namespace %s alone", home)
	case q.AllNamespaces && q.Service != "":
		return q, errors.New("spec.service: say in its own namespace which Service")
	}
	if q.AllNamespaces {
		q.Namespace = ""
	}
	return q, nil
}

// answerOf is an Inquiry's status, and whether it has been answered.
func answerOf(u *unstructured.Unstructured) (answered, bool) {
	answer, _, _ := unstructured.NestedString(u.Object, "status", "answer")
	failed, _, _ := unstructured.NestedString(u.Object, "status", "error")
	return answered{Answer: answer, Error: failed}, answer != "" || failed != ""
}
