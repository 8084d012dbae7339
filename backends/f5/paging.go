package f5

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
)

// Objects a page. A page of expanded objects must stay small: whole
// collections of 250 virtual servers and more run into the device's own
// time-out of 60 s when they are expanded at once.
const (
	plainPage    = 500
	expandedPage = 100
)

// overlap is how many objects of a page the next one begins with.
const overlap = 1

const (
	// stepsBack bounds how often in a row a page is looked for further in
	// front.
	stepsBack = 20
	// rereads bounds how often a collection is read from its beginning.
	rereads = 3
)

// collection is one page of a collection.
type collection[T any] struct {
	Kind       string `json:"kind"`
	Items      []T    `json:"items"`
	NextLink   string `json:"nextLink"`
	TotalItems int    `json:"totalItems"` // not sent without $top
}

// pages reads a collection page by page and calls each for every object, for
// some more than once, reset before the first and before each new beginning.
//
// A page is a window into a list that others, and we, change meanwhile: an
// object that goes moves all after it one place to the front, and the one at
// the border would be missed. So each page must begin with an object that was
// seen already; if it does not, the window has slipped, and the next one is
// opened further in front. In the end as many objects must have been seen as
// the device counted when it counted least (what came into a part that was
// read already may be missing, as if it had come after the read); if not, its
// order is not stable and all is read anew.
type pages[T any] struct {
	session *session
	path    string // the collection's, with its query but for $top and $skip
	size    int
	key     func(*T) string
	reset   func()
	each    func(*T)
}

func (p *pages[T]) read(ctx context.Context) error {
	for range rereads {
		p.reset()
		complete, err := p.once(ctx)
		if err != nil || complete {
			return err
		}
	}
	return fmt.Errorf("%s: the list changed under each of %d reads", p.path, rereads)
}

// once goes through the pages one time.
func (p *pages[T]) once(ctx context.Context) (complete bool, err error) {
	seen := map[string]struct{}{}
	skip, back, least := 0, 0, math.MaxInt
	for {
		page, err := p.page(ctx, skip)
		if err != nil {
			return false, err
		}
		if skip > 0 && !begins(page.Items, p.key, seen) {
			if back++; back > stepsBack {
				return false, nil
			}
			skip = max(0, skip-p.size/2)
			continue
		}
		before := len(seen)
		least = min(least, page.TotalItems)
		for i := range page.Items {
			seen[p.key(&page.Items[i])] = struct{}{}
			p.each(&page.Items[i])
		}
		if page.NextLink == "" && skip+len(page.Items) >= page.TotalItems {
			return len(seen) >= least, nil
		}
		if len(seen) > before {
			back = 0
		} else if back++; back > stepsBack || len(page.Items) <= overlap {
			return false, nil
		}
		skip += len(page.Items) - overlap
	}
}

func begins[T any](items []T, key func(*T) string, seen map[string]struct{}) bool {
	if len(items) == 0 {
		return false
	}
	_, ok := seen[key(&items[0])]
	return ok
}

func (p *pages[T]) page(ctx context.Context, skip int) (*collection[T], error) {
	sep := "?"
	if strings.Contains(p.path, "?") {
		sep = "&"
	}
	path := fmt.Sprintf("%s%s$top=%d&$skip=%d", p.path, sep, p.size, skip)
	page := new(collection[T])
	if err := p.session.get(ctx, path, page); err != nil {
		return nil, err
	}
	// An empty answer of something else is no empty collection.
	if !strings.HasSuffix(page.Kind, "collectionstate") {
		return nil, &callError{method: http.MethodGet, path: p.path, sent: true, err: errNotObject}
	}
	return page, nil
}
