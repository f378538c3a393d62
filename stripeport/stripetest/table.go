package stripetest

import (
	"net/http"
	"slices"
)

// row is an object that a table holds.
type row interface {
	rowID() string
	rowCreated() int64
}

// table holds the objects of one kind, in the order of their creation.
type table[T row] struct {
	rows  []T
	index map[string]int
}

// put adds obj, or replaces the one of the same id.
func (t *table[T]) put(obj T) {
	id := obj.rowID()
	if i, ok := t.index[id]; ok {
		t.rows[i] = obj
		return
	}
	if t.index == nil {
		t.index = make(map[string]int)
	}
	t.index[id] = len(t.rows)
	t.rows = append(t.rows, obj)
}

func (t *table[T]) get(id string) (obj T, ok bool) {
	i, ok := t.index[id]
	if !ok {
		return obj, false
	}
	return t.rows[i], true
}

// Limits of lists.
const (
	defaultLimit = 10
	maxLimit     = 100
)

// listObject is one page of a list.
type listObject struct {
	Object  string `json:"object"`
	Data    []any  `json:"data"`
	HasMore bool   `json:"has_more"`
	URL     string `json:"url"`
}

// pageParams are the parameters of every list.
func pageParams() params {
	return params{
		"limit":          integer(),
		"starting_after": word(),
		"ending_before":  word(),
		"expand":         listOf(text(5000)),
	}
}

// createdParam is the filter that most lists have: a time, or a range.
func createdParam() params {
	return params{"created": {check: func(name string, v *value) error {
		if v.kind == kindHash {
			return v.checkKnown(name, params{"gt": integer(), "gte": integer(), "lt": integer(), "lte": integer()})
		}
		return v.checkAgainst(name, integer())
	}}}
}

// page answers the list that c asks for: newest first, of the rows that keep
// wants. kind names the object in the error for a cursor that is not there.
func page[T row](c *call, t *table[T], kind string, keep func(T) bool) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	after, err := cursor(c, t, kind, "starting_after")
	if err != nil {
		return nil, err
	}
	before, err := cursor(c, t, kind, "ending_before")
	if err != nil {
		return nil, err
	}
	if after >= 0 && before >= 0 { // only after both were looked up [2nd]
		return nil, invalidParam("", "", "Received both starting_after and ending_before parameters. Please pass in only one.") // [2nd]
	}
	wants := func(obj T) bool { return c.inRange(obj.rowCreated()) && keep(obj) }
	result := &listObject{Object: "list", Data: []any{}, URL: c.r.URL.Path}
	add := func(i int) bool {
		if !wants(t.rows[i]) {
			return true
		}
		if len(result.Data) == limit {
			result.HasMore = true
			return false
		}
		result.Data = append(result.Data, t.rows[i])
		return true
	}
	if before >= 0 { // the page right before the cursor, still newest first
		for i := before + 1; i < len(t.rows) && add(i); i++ {
		}
		slices.Reverse(result.Data)
		return result, nil
	}
	from := len(t.rows) - 1
	if after >= 0 {
		from = after - 1
	}
	for i := from; i >= 0 && add(i); i-- {
	}
	return result, nil
}

func cursor[T row](c *call, t *table[T], kind, name string) (int, error) {
	id := c.params.str(name)
	if id == "" {
		return -1, nil
	}
	i, ok := t.index[id]
	if !ok {
		return 0, missing(http.StatusBadRequest, kind, name, id)
	}
	return i, nil
}

// limit returns the page size. A recording of 2026 shows limits out of range
// silently clamped; the documentation says 1 to 100, and the error is what
// older recordings show. [2nd]
func (c *call) limit() (int, error) {
	if !c.params.has("limit") {
		return defaultLimit, nil
	}
	switch n := c.params.at("limit").integer; {
	case n > maxLimit:
		return 0, invalidParam("parameter_invalid_integer", "limit", "This value must be less than or equal to %d.", maxLimit)
	case n < 1:
		return 0, invalidParam("parameter_invalid_integer", "limit", "This value must be greater than or equal to 1.")
	default:
		return int(n), nil
	}
}

// inRange reports whether the created filter, if any, lets created through.
func (c *call) inRange(created int64) bool {
	filter := c.params.at("created")
	if filter == nil {
		return true
	}
	if filter.kind == kindInteger {
		return filter.integer == created
	}
	for name, bound := range filter.hash {
		n := bound.integer
		switch {
		case name == "gt" && created <= n, name == "gte" && created < n,
			name == "lt" && created >= n, name == "lte" && created > n:
			return false
		}
	}
	return true
}
