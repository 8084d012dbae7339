// Package admission makes a ValidatingAdmissionPolicy out of the reference of
// annotations, so that an API server refuses a bad one as soon as it is
// written. It is a convenience for those who write them: the controller reads
// all that gets in with the checks of package annotation, and holds what is
// bad. So the policy never refuses what these let pass, and where an
// expression fails it lets pass.
package admission

import (
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"landbridge.dev/config/annotation"
)

// Spec is the spec of the policy. It looks at Services with an annotation of
// Landbridge, and there only at annotations that are new or changed: a Service
// that got in before can still be changed otherwise.
func Spec() admissionv1.ValidatingAdmissionPolicySpec {
	ignore := admissionv1.Ignore
	spec := admissionv1.ValidatingAdmissionPolicySpec{
		FailurePolicy: &ignore,
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"services"}},
			},
		}}},
		MatchConditions: []admissionv1.MatchCondition{{
			Name:       "has-annotations-of-landbridge",
			Expression: fmt.Sprintf("has(object.metadata.annotations) && object.metadata.annotations.exists(k, k.startsWith('%s'))", annotation.Prefix),
		}},
		Variables: []admissionv1.Variable{
			{Name: "before", Expression: "oldObject != null && has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}"},
			{Name: "changed", Expression: fmt.Sprintf(
				"object.metadata.annotations.map(k, k.startsWith('%s') && !(k in variables.before && variables.before[k] == object.metadata.annotations[k]), k)", annotation.Prefix)},
		},
	}
	// An API server shows message where the expression's text has a line break.
	add := func(variable, bad, message, text string) {
		spec.Variables = append(spec.Variables, admissionv1.Variable{Name: variable, Expression: "variables.changed.filter(k, " + bad + ")"})
		spec.Validations = append(spec.Validations, admissionv1.Validation{
			Expression:        "variables." + variable + ".size() == 0",
			Message:           message,
			MessageExpression: "variables." + variable + ".map(k, " + text + ").join('; ')",
		})
	}
	keys := annotation.Keys()
	add("unknown", "!("+within(keys, func(annotation.Key) bool { return true })+")", "an annotation is none of Landbridge", "k + ' is no annotation of Landbridge'")
	add("suffixed", "k.substring("+prefixLength+").contains('.') && "+within(keys, func(k annotation.Key) bool { return !k.Port }), "an annotation takes no port", "k + ': takes no port'")
	all := rules()
	for _, k := range keys {
		r, ok := all[k.Name]
		if !ok {
			continue
		}
		good := strings.ReplaceAll(r.when, "$v", "object.metadata.annotations[k]")
		add("bad_"+strings.ReplaceAll(k.Name, "-", "_"), name+" == '"+k.Name+"' && !("+good+")",
			annotation.Prefix+k.Name+": "+r.must, `k + ': "' + object.metadata.annotations[k] + '" '+ `+quote(r.must))
	}
	return spec
}

// In CEL: the name of key k, without prefix and port.
const (
	prefixLength = "15"
	name         = "k.substring(" + prefixLength + ").split('.', 2)[0]"
)

// within is CEL for: k is one of these keys.
func within(keys []annotation.Key, which func(annotation.Key) bool) string {
	var names []string
	for _, k := range keys {
		if which(k) {
			names = append(names, "'"+k.Name+"'")
		}
	}
	return name + " in [" + strings.Join(names, ", ") + "]"
}
