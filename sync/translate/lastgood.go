package translate

import (
	"encoding/json"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/config/annotation"
)

// Routes and queue consumers stand nowhere outside: whoever starts anew cannot
// see what was served before an annotation went bad. So what was good last is
// written down on the Service, before its first use, in AnnotationLastGood: an
// object with the annotations of each part.

// LastGood are the annotations of a part that were good last, without Prefix;
// nil if none were.
func LastGood(svc *corev1.Service, part annotation.Part) map[string]string {
	return parts(svc)[part]
}

// WithLastGood is the value that AnnotationLastGood should have when these
// annotations of a part are good; with none of them it has nothing of the part.
// It is empty where no part has any.
func WithLastGood(svc *corev1.Service, part annotation.Part, good map[string]string) string {
	all := parts(svc)
	if len(good) == 0 {
		delete(all, part)
	} else {
		all[part] = good
	}
	if len(all) == 0 {
		return ""
	}
	body, err := json.Marshal(all)
	if err != nil {
		return "" // of maps of strings there is none
	}
	return string(body)
}

// parts reads the annotation. What somebody else made of it is none of ours.
func parts(svc *corev1.Service) map[annotation.Part]map[string]string {
	all := map[annotation.Part]map[string]string{}
	if err := json.Unmarshal([]byte(svc.Annotations[AnnotationLastGood]), &all); err != nil {
		return map[annotation.Part]map[string]string{}
	}
	return all
}

// asGood is the Service with the annotations of a part as they were good last.
func asGood(svc *corev1.Service, part annotation.Part) *corev1.Service {
	good := &corev1.Service{
		TypeMeta: svc.TypeMeta, ObjectMeta: metav1.ObjectMeta{
			Namespace: svc.Namespace, Name: svc.Name, UID: svc.UID, CreationTimestamp: svc.CreationTimestamp,
			Annotations: maps.Clone(LastGood(svc, part)),
		},
		Spec: svc.Spec,
	}
	for name, text := range good.Annotations {
		delete(good.Annotations, name)
		good.Annotations[Prefix+name] = text
	}
	return good
}
