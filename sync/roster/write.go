package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// Write brings a Service's slices to what its VMs make of them. have are those
// that stand, as they were last seen; an error may be that they are older than
// what was written just before, and goes with the next try.
func Write(ctx context.Context, client kubernetes.Interface, svc *corev1.Service, vms []state.VM, inCluster bool, have []*discoveryv1.EndpointSlice) error {
	api := client.DiscoveryV1().EndpointSlices(svc.Namespace)
	options := metav1.UpdateOptions{FieldManager: "landbridge"}
	var errs []error
	failed := func(s *discoveryv1.EndpointSlice, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("EndpointSlice %s/%s: %w", svc.Namespace, s.Name, err))
		}
	}
	wanted := Slices(svc, vms, inCluster, have)
	for _, s := range wanted {
		i := slices.IndexFunc(have, func(o *discoveryv1.EndpointSlice) bool { return o.Name == s.Name })
		switch {
		case i < 0:
			_, err := api.Create(ctx, s, metav1.CreateOptions{FieldManager: options.FieldManager})
			failed(s, err)
		case !same(s, have[i]):
			s.ResourceVersion, s.UID = have[i].ResourceVersion, have[i].UID
			_, err := api.Update(ctx, s, options)
			failed(s, err)
		}
	}
	for _, s := range have {
		if slices.ContainsFunc(wanted, func(o *discoveryv1.EndpointSlice) bool { return o.Name == s.Name }) {
			continue
		}
		err := api.Delete(ctx, s.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &s.UID, ResourceVersion: &s.ResourceVersion}})
		if !apierrors.IsNotFound(err) {
			failed(s, err)
		}
	}
	return errors.Join(errs...)
}

// same says whether a slice stands as it should, by what is kept of it.
func same(want, have *discoveryv1.EndpointSlice) bool {
	if want.Labels[discoveryv1.LabelServiceName] != have.Labels[discoveryv1.LabelServiceName] ||
		want.Annotations[translate.AnnotationVMs] != have.Annotations[translate.AnnotationVMs] ||
		!slices.Equal(portsOf(want), portsOf(have)) || len(want.Endpoints) != len(have.Endpoints) {
		return false
	}
	return slices.EqualFunc(want.Endpoints, have.Endpoints, func(a, b discoveryv1.Endpoint) bool {
		return slices.Equal(a.Addresses, b.Addresses) && equality.Semantic.DeepEqual(a.Conditions, b.Conditions)
	})
}
