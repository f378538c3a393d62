package httpadapter

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// route is one endpoint of a dialect.
type route struct {
	method string
	tail   string // how the path ends: words, and {wildcards} that each match one segment
	do     action
}

// signupRoutes are those of the dialects whose paths name the row.
func signupRoutes(begin action) []route {
	return []route{
		{http.MethodPost, "{id}/setup-intent", begin},
		{http.MethodPost, "{id}/activate", activate},
	}
}

// Routes returns all of the dialect's endpoints as one handler:
//
//	POST {id}/setup-intent   hands out the row's intent
//	POST {id}/activate       turns the row active
//	GET  openapi.json        describes the endpoints, to everybody
//
// It looks at the end of the path alone. So it can be mounted under any prefix,
// stripped or not, in any router that hands it the request; and what it serves,
// it serves under every path that the router lets through.
//
// Identify decides which row the request may act on, and is the place for
// authorization: that a path names a row proves nothing. It finds the id of the
// path, well-formed, as r.PathValue("id"), next to the path values of the
// router outside; and it is asked only about requests that an endpoint takes.
// [PathID] and [PathPattern] are for ids that nobody can guess.
//
// Its error stops the request. One that wraps [ErrUnauthenticated],
// [ErrForbidden] or [ErrMalformedID] is answered as such; one of package
// setupintent, as if the service had returned it; any other with a 503. Its
// text is logged, and not shown. Without identify, every request is forbidden.
//
// For metrics, the request's Pattern is set to that of the endpoint, such as
// "POST /signup/{id}/setup-intent": identify sees it, and so does whoever holds
// the same *http.Request outside.
func (h *Handler) Routes(identify func(*http.Request) (string, error)) http.Handler {
	if identify == nil {
		identify = func(*http.Request) (string, error) { return "", errNoIdentify }
	}
	routes := withDocument(h.dialect.routes())
	do := func(q *request) (reply, error) {
		if err := h.dialect.receive(q); err != nil {
			return reply{}, err
		}
		rt, allow, err := find(routes, q.Request)
		switch {
		case err != nil:
			return reply{}, err
		case allow != "":
			return notAllowed(q.Request, allow)
		}
		return rt.do(q)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.serve(&request{Request: r, h: h, w: w, identify: identify}, do)
	})
}

var (
	errNoRoute    = errors.New("no such route")
	errNoIdentify = errors.Join(ErrForbidden, errors.New("Routes was called without identify"))
)

// find returns the route that the request takes, and sets the request's pattern
// and path values by it; or, if the request has another method, those that are
// allowed.
func find(routes []route, r *http.Request) (rt route, allow string, err error) {
	path, escaped := asWritten(r.URL)
	for _, rt := range routes {
		if !match(rt.tail, path, escaped, func(string, string) {}) {
			continue
		}
		if r.Method != rt.method {
			allow = join(allow, rt.method)
			continue
		}
		match(rt.tail, path, escaped, func(name, value string) {
			r.SetPathValue(name, value)
			if !wellFormed(value) {
				err = ErrMalformedID
			}
		})
		r.Pattern = pattern(r.Pattern, rt)
		return rt, "", err
	}
	if allow == "" {
		return route{}, "", errNoRoute
	}
	return route{}, allow, nil
}

func join(list, word string) string {
	if list == "" {
		return word
	}
	return list + ", " + word
}

// notAllowed is the answer to another method than those that are allowed.
func notAllowed(r *http.Request, allow string) (reply, error) {
	if r.Method == http.MethodOptions {
		return reply{status: http.StatusNoContent, allow: allow}, nil
	}
	return reply{}, methodError{allow}
}

// methodError is the error of a request with another method than those.
type methodError struct{ allow string }

func (e methodError) Error() string { return "another method than " + e.allow }

// asWritten returns the path as the client wrote it, if it is known, so that an
// escaped slash stays part of a segment.
func asWritten(u *url.URL) (path string, escaped bool) {
	if u.RawPath == "" {
		return u.Path, false
	}
	if p, err := url.PathUnescape(u.RawPath); err != nil || p != u.Path {
		return u.Path, false // somebody has changed the path since
	}
	return u.RawPath, true
}

// match reports whether the path ends with the tail, and calls wildcard for
// each that the tail has.
func match(tail, path string, escaped bool, wildcard func(name, value string)) bool {
	for tail != "" {
		var want, got string
		tail, want = cutLast(tail)
		path, got = cutLast(path)
		if escaped {
			got, _ = url.PathUnescape(got) // the whole path can be, and so can this
		}
		switch {
		case got == "":
			return false
		case want[0] == '{':
			wildcard(want[1:len(want)-1], got)
		case want != got:
			return false
		}
	}
	return true
}

// cutLast splits path around its last slash.
func cutLast(path string) (rest, last string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// pattern returns the pattern of a route that was reached through the outer
// one, which is empty if nobody set it. An outer one for more than this path
// ends in a slash or a wildcard for the rest.
func pattern(outer string, rt route) string {
	_, mount, ok := strings.Cut(outer, " ")
	if !ok {
		mount = outer
	}
	switch {
	case mount == "":
		mount = "/"
	case strings.HasSuffix(mount, "/"), strings.HasSuffix(mount, "...}"), strings.HasSuffix(mount, "*"):
		mount = mount[:strings.LastIndexByte(mount, '/')+1]
	default:
		return outer
	}
	return rt.method + " " + mount + rt.tail
}
