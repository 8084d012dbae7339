package rest

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is what the query string of a GET asks for.
type query struct {
	expand bool
	fields []string // $select
	filter []string // property, value
	top    int      // -1: no paging
	skip   int
	// options is a clause in tmsh's language: "create-draft".
	options string
	echo    []string // parameters as selfLink repeats them
}

func parseQuery(raw string) (query, error) {
	q := query{top: -1}
	if raw == "" {
		return q, nil
	}
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return q, badQuery("Query String Invalid: " + part)
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return q, badQuery("Query String Invalid: " + part)
		}
		if err := q.set(name, value); err != nil {
			return q, err
		}
		if name != "ver" && name != "" {
			q.echo = append(q.echo, name+"="+url.QueryEscape(value))
		}
	}
	return q, nil
}

func (q *query) set(name, value string) error {
	var err error
	switch name {
	case "expandSubcollections":
		q.expand = value == "true"
	case "$select":
		q.fields = strings.Split(strings.ReplaceAll(value, " ", ""), ",")
	case "$top":
		q.top, err = strconv.Atoi(value)
	case "$skip":
		q.skip, err = strconv.Atoi(value)
	case "$filter":
		return q.setFilter(value)
	case "options":
		q.options = value
	case "ver", "":
	default:
		if strings.HasPrefix(name, "$") {
			return badQuery("Query String Invalid: unknown option " + name)
		}
	}
	if err != nil || q.skip < 0 {
		return badQuery("Query String Invalid: " + name + "=" + value)
	}
	return nil
}

// setFilter reads "partition eq web", the filter that is documented.
func (q *query) setFilter(s string) error {
	f := strings.Fields(s)
	if len(f) != 3 || f[1] != "eq" {
		return badQuery("Query String Invalid: $filter=" + s)
	}
	q.filter = []string{f[0], strings.Trim(f[2], `'"`)}
	return nil
}

func (q query) matches(d doc) bool {
	if q.filter == nil {
		return true
	}
	v, ok := d.get(q.filter[0])
	return ok && fmt.Sprint(v) == q.filter[1]
}

// pick keeps the fields of $select.
func (q query) pick(d doc) doc {
	if q.fields == nil {
		return d
	}
	var out doc
	for _, f := range d {
		if slices.Contains(q.fields, f.name) {
			out = append(out, f)
		}
	}
	if out == nil {
		out = doc{}
	}
	return out
}

// page cuts the items of a collection to what $top and $skip ask for, and adds
// the counts and links that go with it.
func (q query) page(d *doc, items []any, linkTo func(skip int) string) []any {
	if q.top < 0 && q.skip == 0 {
		return items
	}
	total := len(items)
	per := q.top
	if per <= 0 {
		per = max(total, 1)
	}
	from := min(q.skip, total)
	to := min(from+per, total)
	d.add("currentItemCount", to-from)
	d.add("itemsPerPage", per)
	d.add("pageIndex", from/per+1)
	d.add("startIndex", from+1)
	d.add("totalItems", total)
	d.add("totalPages", (total+per-1)/per)
	if to < total {
		d.add("nextLink", linkTo(to))
	}
	if from > 0 {
		d.add("previousLink", linkTo(max(0, from-per)))
	}
	return items[from:to]
}

// at is the same query for another page.
func (q query) at(skip int) query {
	q.echo = slices.DeleteFunc(slices.Clone(q.echo), func(s string) bool { return strings.HasPrefix(s, "$skip=") })
	q.echo = append(q.echo, "$skip="+strconv.Itoa(skip))
	q.skip = skip
	return q
}
