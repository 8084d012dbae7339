package f5_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// list is a collection of pools that is served in pages, as devices do, and
// that a test changes between two of them.
type list struct {
	mu    sync.Mutex
	names []string
	pages int
	// between is called after each page with its number, from 1.
	between func(l *list, page int)
}

func (l *list) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/mgmt/tm/ltm/pool" {
		emptyCollection(w)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	top, _ := strconv.Atoi(r.URL.Query().Get("$top"))
	skip, _ := strconv.Atoi(r.URL.Query().Get("$skip"))
	from := min(skip, len(l.names))
	to := min(from+top, len(l.names))
	var items []string
	for _, n := range l.names[from:to] {
		items = append(items, fmt.Sprintf(`{"fullPath":%q,"loadBalancingMode":"round-robin"}`, n))
	}
	next := ""
	if to < len(l.names) {
		next = fmt.Sprintf(`,"nextLink":"https://localhost/mgmt/tm/ltm/pool?$top=%d&$skip=%d"`, top, to)
	}
	answer(w, 200, fmt.Sprintf(`{"kind":"tm:ltm:pool:poolcollectionstate","totalItems":%d,"items":[%s]%s}`, len(l.names), strings.Join(items, ","), next))
	l.pages++
	if l.between != nil {
		l.between(l, l.pages)
	}
}

func pathOf(i int) string { return fmt.Sprintf("/web/p%05d", i) }

func paths(to int) []string {
	var out []string
	for i := range to {
		out = append(out, pathOf(i))
	}
	return out
}

func TestPagingLosesNothing(t *testing.T) {
	t.Parallel()
	stay := paths(1000)
	for _, test := range []struct {
		name    string
		between func(l *list, page int)
		stay    []string // what stood all the time
	}{
		{name: "nothing changes", stay: stay},
		{
			name: "one before the window goes", stay: stay[50:],
			between: func(l *list, page int) {
				if page <= 50 {
					l.names = slices.Delete(l.names, 0, 1)
				}
			},
		},
		{
			name: "many before the window go at once", stay: stay[250:],
			between: func(l *list, page int) {
				if page == 5 {
					l.names = slices.Delete(l.names, 0, 250)
				}
			},
		},
		{
			name: "some come before the window", stay: stay,
			between: func(l *list, page int) {
				l.names = slices.Insert(l.names, 0, fmt.Sprintf("/web/a%05d", 99999-page))
			},
		},
		{
			name: "one goes before the window and one comes after it", stay: stay[20:],
			between: func(l *list, page int) {
				if page <= 20 {
					l.names = append(slices.Delete(l.names, 0, 1), fmt.Sprintf("/web/z%05d", page))
				}
			},
		},
		{
			name: "nearly all go", stay: stay[995:],
			between: func(l *list, page int) {
				if page == 9 {
					l.names = slices.Delete(l.names, 0, 995)
				}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := &list{names: paths(1000), between: test.between}
			f := newFake(t, l.serve)
			set := mustRead(t, f.open(t, nil))
			var missing []string
			for _, p := range test.stay {
				if _, ok := set.Pool("bigip/dc1", p); !ok {
					missing = append(missing, p)
				}
			}
			if len(missing) > 0 {
				t.Errorf("%d pools that stood all the time were not read, the first %s", len(missing), missing[0])
			}
			if l.pages > 60 {
				t.Errorf("%d pages were read", l.pages)
			}
		})
	}
}

func TestPagesAreOneListWithoutDoubles(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 99, 100, 101, 199, 200, 201, 1000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			l := &list{names: paths(n)}
			f := newFake(t, l.serve)
			var got []string
			for o := range mustRead(t, f.open(t, nil)).All() {
				got = append(got, o.ID().Name)
			}
			if diff := cmp.Diff(paths(n), got); diff != "" {
				t.Errorf("pools (-want +got):\n%s", diff)
			}
		})
	}
}

// TestListWithoutOrder shuffles the list at each page: nothing can be known
// then, and nothing must be made up.
func TestListWithoutOrder(t *testing.T) {
	t.Parallel()
	l := &list{names: paths(1000), between: func(l *list, page int) {
		rotated := slices.Clone(l.names[page*37%1000:])
		l.names = append(rotated, l.names[:page*37%1000]...)
		slices.Reverse(l.names[:500])
	}}
	f := newFake(t, l.serve)
	set, err := f.open(t, nil).Read(t.Context(), apply.Scope{})
	switch {
	case err == nil && set.Len() != 1000:
		t.Errorf("%d of 1000 pools were read without an error", set.Len())
	case err != nil && !strings.Contains(err.Error(), "the list changed under each of"):
		t.Errorf("the read failed otherwise than for want of an order: %v", err)
	}
}

// TestDeviceThatPagesNothing ignores $top and sends all at once, without
// counts.
func TestDeviceThatPagesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mgmt/tm/ltm/node" {
			emptyCollection(w)
			return
		}
		answer(w, 200, `{"kind":"tm:ltm:node:nodecollectionstate","items":[
			{"fullPath":"/Common/10.0.0.1","address":"10.0.0.1"},
			{"fullPath":"/Common/db","address":"any6"},
			{"fullPath":"/Common/10.0.0.2%3","address":"10.0.0.2%3"}]}`)
	})
	set := mustRead(t, f.open(t, nil))
	if n, ok := set.Node("bigip/dc1", address(t, "10.0.0.2%3")); set.Len() != 2 || !ok || n.Path != "/Common/10.0.0.2%3" {
		t.Errorf("%d nodes, want the two that have an address", set.Len())
	}
	if got := set.Owned(state.Ref{}); len(got) != 0 {
		t.Errorf("owned: %v", got)
	}
}
