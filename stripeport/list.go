package stripeport

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
)

// listParams are those of a list of objects created in [from, to]; a zero time
// is no bound.
func listParams(from, to time.Time) map[string]any {
	created := map[string]any{} // Stripe's times are whole seconds, rounded down
	if !from.IsZero() {
		created["gte"] = from.Unix()
	}
	if !to.IsZero() {
		created["lte"] = to.Unix()
	}
	return map[string]any{"created": created, "limit": 100}
}

// listed is an object of a list.
type listed interface {
	id() string
	check() error
}

// each calls visit with the objects of a list, newest first, until there are no
// more or it returns false.
func each[T listed](ctx context.Context, p *Provider, op, path string, params map[string]any, visit func(T) bool) error {
	params = maps.Clone(params)
	for {
		page, more, err := list[T](ctx, p, op, path, params)
		if err != nil {
			return err
		}
		for _, o := range page {
			if !visit(o) {
				return nil
			}
		}
		if !more {
			return nil
		}
		last := page[len(page)-1].id()
		if last == params["starting_after"] {
			return &Error{op: op, Message: "the list does not move on"}
		}
		params["starting_after"] = last
	}
}

// list returns one page, and whether there are more.
func list[T listed](ctx context.Context, p *Provider, op, path string, params map[string]any) (page []T, more bool, err error) {
	c := &call{op: op, method: http.MethodGet, path: path, limit: maxPage, params: params}
	c.decode = func(body []byte) (err error) {
		page, more, err = decodeListed[T](body)
		return err
	}
	if _, err := p.send(ctx, c); err != nil {
		return nil, false, ofList(err)
	}
	return page, more, nil
}

// ofList returns the error of a list without ErrNotFound: that an object in the
// middle of a list has gone does not mean that there is none.
func ofList(err error) error {
	if e := new(Error); errors.As(err, &e) && errors.Is(e.means, setupintent.ErrNotFound) {
		e.means = nil
	}
	return err
}

func decodeListed[T listed](body []byte) ([]T, bool, error) {
	data, more, err := decodeList(body)
	if err != nil {
		return nil, false, err
	}
	page := make([]T, len(data))
	for i, raw := range data {
		if err := json.Unmarshal(raw, &page[i]); err != nil {
			return nil, false, err
		}
		if err := page[i].check(); err != nil {
			return nil, false, err
		}
	}
	return page, more, nil
}
