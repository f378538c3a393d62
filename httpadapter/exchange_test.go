package httpadapter_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/cardonfile/cardonfile/httpadapter"
)

var exchangesFile = flag.String("exchanges", "", "write what the handlers of the tests are asked and answer to this file, "+
	"a line each; internal/integration/openapi holds them against the documents")

// exchanges is what -exchanges names, if it is set.
var exchanges struct {
	sync.Mutex
	to *json.Encoder
}

func TestMain(m *testing.M) {
	flag.Parse()
	if *exchangesFile != "" {
		f, err := os.Create(*exchangesFile)
		if err != nil {
			panic(err)
		}
		exchanges.to = json.NewEncoder(f) // which writes each at once: there is nothing to flush
	}
	m.Run()
}

// exchange is one request and its answer.
type exchange struct {
	Hostile    bool        `json:"hostile"` // it is of the hostile table
	Dialect    string      `json:"dialect"`
	Configured bool        `json:"configured"` // it says more, or something else, than its document
	Endpoint   string      `json:"endpoint"`   // empty: what the path says; else a tail, webhook, any, or listed: a route, and no exchange
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Asked      http.Header `json:"asked"`
	Sent       []byte      `json:"sent"` // as much as was read
	Status     int         `json:"status"`
	Header     http.Header `json:"header"`
	Body       []byte      `json:"body"`
}

// dialects are all of them, by name. The default has none.
var dialects = map[string]httpadapter.Dialect{
	"default":    nil,
	"LoyaltyDog": httpadapter.LoyaltyDog{},
	"Spree":      httpadapter.Spree{EphemeralKey: ephemeralKey},
	"OrbitKit":   httpadapter.OrbitKit{},
	"Stripe":     httpadapter.Stripe{Update: noUpdate},
}

func dialectName(d httpadapter.Dialect) string {
	if d == nil {
		return "default"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", d), "httpadapter.")
}

// recorded is h, whose exchanges are written down if somebody wants them.
func recorded(dialect httpadapter.Dialect, endpoint string, h http.Handler) http.Handler {
	if exchanges.to == nil {
		return h
	}
	e := exchange{Dialect: dialectName(dialect), Endpoint: endpoint}
	switch d := dialect.(type) {
	case httpadapter.LoyaltyDog:
		e.Configured = d.Details != nil
	case httpadapter.Stripe:
		e.Configured = d.AllowParams != nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, sent := e, new(bytes.Buffer)
		e.Method, e.Path, e.Asked = r.Method, r.URL.EscapedPath(), r.Header.Clone()
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(r.Body, sent), r.Body}
		}
		seen := &seenWriter{ResponseWriter: w}
		h.ServeHTTP(seen, r)
		e.Hostile = r.Context().Value(hostileKey{}) != nil
		e.Sent, e.Status, e.Header, e.Body = sent.Bytes(), seen.status, seen.header, seen.body.Bytes()
		record(e)
	})
}

func record(e exchange) {
	if exchanges.to == nil {
		return
	}
	exchanges.Lock()
	defer exchanges.Unlock()
	if err := exchanges.to.Encode(e); err != nil {
		panic(err)
	}
}

// seenWriter keeps what is written through it.
type seenWriter struct {
	http.ResponseWriter
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *seenWriter) WriteHeader(status int) {
	w.status, w.header = status, w.Header().Clone()
	w.ResponseWriter.WriteHeader(status)
}

func (w *seenWriter) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}
