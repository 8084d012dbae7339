package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	kjson "sigs.k8s.io/json"

	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// manifests are files with Services that are not applied yet.
type manifests struct {
	files     []string
	namespace string // of those that name none
}

func (m *manifests) register(f *pflag.FlagSet) {
	f.StringSliceVarP(&m.files, "filename", "f", nil, "files with manifests that are not applied yet; - for the standard input")
}

func (m *manifests) given() bool { return len(m.files) > 0 }

// planned are the files' Services as the API server would have them.
func (m *manifests) planned(ctx context.Context, c *common, notes io.Writer) ([]*corev1.Service, error) {
	if !m.given() {
		return nil, nil
	}
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	written, passedOver, err := m.read()
	if err != nil {
		return nil, err
	}
	if len(passedOver) > 0 {
		fmt.Fprintln(notes, "passed over, since they are no Services:", strings.Join(passedOver, ", "))
	}
	var planned []*corev1.Service
	for i, svc := range written {
		ref := refsOf(written[i : i+1])[0]
		if slices.Contains(refsOf(planned), ref) {
			return nil, fmt.Errorf("service %s is in the manifests twice", ref)
		}
		applied, err := applied(ctx, client, svc)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", ref, err)
		}
		planned = append(planned, applied)
	}
	return planned, nil
}

func refsOf(services []*corev1.Service) []state.Ref {
	var refs []state.Ref
	for _, svc := range services {
		refs = append(refs, state.Ref{Namespace: svc.Namespace, Name: svc.Name})
	}
	return refs
}

// read are the Services in the files, and what else is there.
func (m *manifests) read() (services []*corev1.Service, others []string, err error) {
	for _, name := range m.files {
		documents, err := open(name)
		if err != nil {
			return nil, nil, err
		}
		found, passed, err := servicesIn(documents)
		err = errors.Join(err, documents.Close())
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		services, others = append(services, found...), append(others, passed...)
	}
	for _, svc := range services {
		if svc.Namespace == "" {
			svc.Namespace = m.namespace
		}
	}
	return services, others, nil
}

func open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(name)
}

// servicesIn are the Services in a stream of YAML or JSON documents, also those
// in lists.
func servicesIn(r io.Reader) (services []*corev1.Service, others []string, err error) {
	for documents := yaml.NewYAMLOrJSONDecoder(r, 4096); ; {
		var raw json.RawMessage
		if err := documents.Decode(&raw); errors.Is(err, io.EOF) {
			return services, others, nil
		} else if err != nil {
			return nil, nil, err
		}
		found, passed, err := servicesOf(raw)
		if err != nil {
			return nil, nil, err
		}
		services, others = append(services, found...), append(others, passed...)
	}
}

// servicesOf are the Services of one document.
func servicesOf(raw json.RawMessage) (services []*corev1.Service, others []string, err error) {
	var about struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`

		Items []json.RawMessage `json:"items"`
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil, nil
	}
	if err := json.Unmarshal(raw, &about); err != nil {
		return nil, nil, err
	}
	switch {
	case about.Kind == "List" || about.Kind == "ServiceList":
		for _, item := range about.Items {
			found, passed, err := servicesOf(item)
			if err != nil {
				return nil, nil, err
			}
			services, others = append(services, found...), append(others, passed...)
		}
		return services, others, nil
	case about.Kind != "Service" || about.APIVersion != "v1":
		return nil, []string{strings.TrimSpace(about.Kind + " " + about.Name)}, nil
	}
	svc := &corev1.Service{}
	strict, err := kjson.UnmarshalStrict(raw, svc)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, nil, fmt.Errorf("service %s: %w", about.Name, err)
	}
	if svc.Name == "" {
		return nil, nil, errors.New("a Service has no metadata.name")
	}
	return []*corev1.Service{svc}, nil, nil
}

// applied is a Service as the API server would have it if it were applied now:
// it checks it and fills in what is left out, and keeps nothing.
func applied(ctx context.Context, client kubernetes.Interface, written *corev1.Service) (*corev1.Service, error) {
	services := client.CoreV1().Services(written.Namespace)
	dryRun, manager := []string{metav1.DryRunAll}, "landbridge-plan"
	standing, err := services.Get(ctx, written.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		written.ResourceVersion, written.UID = "", ""
		return services.Create(ctx, written, metav1.CreateOptions{DryRun: dryRun, FieldManager: manager})
	}
	if err != nil {
		return nil, err
	}
	return services.Update(ctx, over(standing, written), metav1.UpdateOptions{DryRun: dryRun, FieldManager: manager})
}

// over is a standing Service with what a manifest says, as `kubectl apply` would
// leave it: all of its spec, but for what the API server gave, and its
// annotations, without those of Landbridge that were applied before and are left
// out now. What was annotated otherwise stays.
func over(standing, written *corev1.Service) *corev1.Service {
	svc := standing.DeepCopy()
	var applied corev1.Service // nothing was, where this cannot be read
	_ = json.Unmarshal([]byte(standing.Annotations[corev1.LastAppliedConfigAnnotation]), &applied)
	for key := range applied.Annotations {
		if name, ours := strings.CutPrefix(key, translate.Prefix); ours && !annotation.IsWritten(name) {
			delete(svc.Annotations, key)
		}
	}
	for key, value := range written.Annotations {
		metav1.SetMetaDataAnnotation(&svc.ObjectMeta, key, value)
	}
	svc.Spec = *written.Spec.DeepCopy()
	given := standing.Spec
	if svc.Spec.Type == "" || svc.Spec.Type == given.Type {
		if svc.Spec.ClusterIP == "" {
			svc.Spec.ClusterIP, svc.Spec.ClusterIPs = given.ClusterIP, given.ClusterIPs
		}
		if len(svc.Spec.IPFamilies) == 0 && svc.Spec.IPFamilyPolicy == nil {
			svc.Spec.IPFamilies, svc.Spec.IPFamilyPolicy = given.IPFamilies, given.IPFamilyPolicy
		}
	}
	return svc
}
