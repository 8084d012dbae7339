package inquiry

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
)

const home = "landbridge"

func TestQuestionOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, namespace string
		spec            map[string]any
		want            Question
		wrong           string // what the error has in it
	}{
		{name: "a namespace", namespace: "shop", spec: map[string]any{"about": "status"}, want: Question{About: Status, Namespace: "shop"}},
		{
			name: "one Service, measured", namespace: "shop",
			spec: map[string]any{"about": "status", "service": "web", "measureSeconds": int64(60)},
			want: Question{About: Status, Namespace: "shop", Service: "web", MeasureSeconds: 60},
		},
		{
			name: "all, from home", namespace: home, spec: map[string]any{"about": "plan", "allNamespaces": true},
			want: Question{About: Plan, AllNamespaces: true},
		},
		{name: "home alone", namespace: home, spec: map[string]any{"about": "plan"}, want: Question{About: Plan, Namespace: home}},
		{name: "all, from elsewhere", namespace: "shop", spec: map[string]any{"about": "plan", "allNamespaces": true}, wrong: "in the controller's namespace landbridge alone"},
		{name: "all, and one", namespace: home, spec: map[string]any{"about": "plan", "allNamespaces": true, "service": "web"}, wrong: "spec.service: say in its own namespace"},
		{name: "about what", namespace: "shop", spec: map[string]any{}, wrong: `spec.about: "" must be status or plan`},
		{name: "too long", namespace: "shop", spec: map[string]any{"about": "status", "measureSeconds": int64(61)}, wrong: "61 must be 0 to 60"},
		{name: "less than nothing", namespace: "shop", spec: map[string]any{"about": "status", "measureSeconds": int64(-1)}, wrong: "-1 must be 0 to 60"},
		{name: "another type", namespace: "shop", spec: map[string]any{"about": "status", "service": []any{"web"}}, wrong: "spec: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := &unstructured.Unstructured{Object: map[string]any{"spec": tt.spec}}
			u.SetNamespace(tt.namespace)
			got, err := questionOf(u, home)
			switch {
			case tt.wrong == "" && (err != nil || got != tt.want):
				t.Errorf("it asks %+v, %v, want %+v", got, err, tt.want)
			case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
				t.Errorf("the error is %v, want one with %q", err, tt.wrong)
			}
		})
	}
}

func TestAnswersAreReadAsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		say := rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "say")
		packed, err := pack(say)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(say)
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(string(got)) != string(want) {
			t.Fatalf("%s came as %s", want, got)
		}
	})
}

// What the API server would not take is refused with the way out, and what a
// person may have written into a status is an error and no panic.
func TestAnswersThatCannotBe(t *testing.T) {
	t.Parallel()
	random := make([]byte, 900<<10) // does not pack
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
	if packed, err := pack(random[:700<<10]); err != nil || len(packed) > mostAnswer {
		t.Errorf("an answer of %d bytes packed: %v", len(packed), err)
	}
	if _, err := pack(random); !errors.Is(err, errTooLarge) {
		t.Errorf("an answer that is larger: %v, want %v", err, errTooLarge)
	}
	if _, err := pack(func() {}); err == nil {
		t.Error("an answer that is no JSON is packed")
	}
	for _, answer := range []string{"", "nonsense", "!", "H4sIAAAAAAAA/w=="} {
		if text, err := unpack(answer); err == nil {
			t.Errorf("%q is read as %q", answer, text)
		}
	}
}
