package stripetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
)

// Client returns a client whose requests reach the server without a socket,
// whatever host they name.
func (s *Server) Client() *http.Client { return &http.Client{Transport: roundTripper{s}} }

type roundTripper struct{ srv *Server }

// RoundTrip runs the handler until it answers or the request's context ends;
// the handler then goes on, as it does behind a socket.
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.RequestURI = r.URL.RequestURI()
	if in.Body = http.NoBody; r.Body != nil { // read at once: the caller may reuse it when this returns
		body, err := io.ReadAll(r.Body)
		if err := errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
		in.Body = io.NopCloser(bytes.NewReader(body))
	}
	type result struct {
		response *http.Response
		err      error
	}
	done := make(chan result, 1)
	go func() {
		w := httptest.NewRecorder()
		defer func() {
			switch p := recover(); p {
			case nil:
				response := w.Result()
				response.Request = r
				done <- result{response: response}
			case http.ErrAbortHandler:
				done <- result{err: io.EOF}
			default:
				done <- result{err: fmt.Errorf("stripetest: panic: %v", p)}
			}
		}()
		t.srv.ServeHTTP(w, in)
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case got := <-done:
		return got.response, got.err
	}
}
