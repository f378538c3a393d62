package httpadapter_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
)

func TestMounts(t *testing.T) {
	t.Parallel()
	mux := func(pattern string, wrap func(http.Handler) http.Handler) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			m := http.NewServeMux()
			m.Handle(pattern, wrap(h))
			return m
		}
	}
	as := func(h http.Handler) http.Handler { return h }
	strip := func(prefix string) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler { return http.StripPrefix(prefix, h) }
	}
	// set is what a router does that knows patterns of its own, such as chi.
	set := func(pattern string) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Pattern = pattern
				h.ServeHTTP(w, r)
			})
		}
	}
	for name, c := range map[string]struct {
		mount   func(http.Handler) http.Handler
		path    string // of the row, with %s for its id
		pattern string // as identify sees it
		tenant  string
	}{
		"alone":               {as, "/%s", "POST /{id}/setup-intent", ""},
		"alone, deep":         {as, "/a/b/c/%s", "POST /{id}/setup-intent", ""},
		"gin, echo, fiber":    {as, "/signup/%s", "POST /{id}/setup-intent", ""},
		"mux":                 {mux("/signup/", as), "/signup/%s", "POST /signup/{id}/setup-intent", ""},
		"mux, stripped":       {mux("/signup/", strip("/signup")), "/signup/%s", "POST /signup/{id}/setup-intent", ""},
		"mux, slash stripped": {mux("/signup/", strip("/signup/")), "/signup/%s", "POST /signup/{id}/setup-intent", ""},
		"mux, root":           {mux("/", as), "/%s", "POST /{id}/setup-intent", ""},
		"mux, method":         {mux("POST /signup/", as), "/signup/%s", "POST /signup/{id}/setup-intent", ""},
		"mux, host":           {mux("example.com/signup/", as), "/signup/%s", "POST example.com/signup/{id}/setup-intent", ""},
		"mux, rest":           {mux("/signup/{rest...}", as), "/signup/%s", "POST /signup/{id}/setup-intent", ""},
		"mux, tenant":         {mux("/t/{tenant}/signup/", as), "/t/acme/signup/%s", "POST /t/{tenant}/signup/{id}/setup-intent", "acme"},
		"mux, exact":          {mux("POST /t/{tenant}/{id}/setup-intent", as), "/t/acme/%s", "POST /t/{tenant}/{id}/setup-intent", "acme"},
		"mux, own word":       {mux("POST /t/{tenant}/{row}/{verb}", as), "/t/acme/%s", "POST /t/{tenant}/{row}/{verb}", "acme"},
		"chi":                 {set("/signup/*"), "/signup/%s", "POST /signup/{id}/setup-intent", ""},
		"LoyaltyDog":          {mux("/v2/signup/pending/", as), "/v2/signup/pending/%s", "POST /v2/signup/pending/{id}/setup-intent", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, httpadapter.LoyaltyDog{})
			var pattern, tenant string
			b.identify = func(r *http.Request) (string, error) {
				pattern, tenant = r.Pattern, r.PathValue("tenant")
				return httpadapter.PathID(r)
			}
			h := c.mount(b.start().routes)
			do := func(method, path string) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
				return w
			}
			path := fmt.Sprintf(c.path, rowID)

			w := do(http.MethodPost, path+"/setup-intent")
			require.Equal(t, http.StatusOK, w.Code, w.Body.String())
			require.Equal(t, c.pattern, pattern)
			require.Equal(t, c.tenant, tenant)
			if strings.HasPrefix(name, "mux, exact") {
				return // no other path gets here
			}
			w = do(http.MethodPost, path+"/activate")
			require.Equal(t, http.StatusUnprocessableEntity, w.Code)
			if name == "mux, own word" {
				return
			}
			for _, tail := range []string{"", "/", "/setup-intent/", "/setup-intents", "/SETUP-INTENT", "/setup-intent/x"} {
				w = do(http.MethodPost, path+tail)
				require.Equal(t, http.StatusNotFound, w.Code, tail)
				checkAnswer(t, w)
			}
			w = do(http.MethodPost, fmt.Sprintf(c.path, "000000000000000000000000")+"/setup-intent")
			require.Equal(t, http.StatusNotFound, w.Code)
			require.Equal(t, "pending_not_found", member(t, w, "detail"))
			if name != "mux, method" {
				w = do(http.MethodGet, path+"/setup-intent")
				require.Equal(t, http.StatusMethodNotAllowed, w.Code)
				checkAnswer(t, w)
			}
		})
	}
}

// TestPatternIsSeenOutside: whoever holds the request can label its metrics.
func TestPatternIsSeenOutside(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	mux := http.NewServeMux()
	mux.Handle("/signup/", b.start().routes)
	r := httptest.NewRequest(http.MethodPost, "/signup/"+rowID+"/setup-intent", nil)
	mux.ServeHTTP(httptest.NewRecorder(), r)
	require.Equal(t, "POST /signup/{id}/setup-intent", r.Pattern)
}

// TestIdentifyDecides: the path's id is not what counts.
func TestIdentifyDecides(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var asked []string
	b.identify = func(r *http.Request) (string, error) {
		asked = append(asked, r.PathValue("id"))
		return rowID, nil
	}
	for path, want := range map[string]int{
		"/signup/me/setup-intent":          http.StatusOK,
		"/signup/a%2Fb/setup-intent":       http.StatusNotFound,
		"/signup/a%00b/setup-intent":       http.StatusNotFound,
		"/signup/me/else":                  http.StatusNotFound,
		"/signup/caf%C3%A9/setup-intent":   http.StatusOK,
		"/signup/100%25/setup-intent":      http.StatusOK,
		"/signup/a%2Fb%20c/setup%2Dintent": http.StatusNotFound,
	} {
		w := b.serve(httptest.NewRequest(http.MethodPost, path, nil))
		require.Equal(t, want, w.Code, path)
	}
	b.serve(httptest.NewRequest(http.MethodGet, "/signup/me/setup-intent", nil))
	require.ElementsMatch(t, []string{"me", "café", "100%"}, asked)
	require.Len(t, b.provider.Intents(), 1)
}

func TestPathPattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		re, id string
		ok     bool
	}{
		{"^[0-9a-f]{24}$", rowID, true},
		{"[0-9a-f]{24}", rowID, true},
		{"[0-9a-f]{24}", rowID + "0", false}, // the whole id
		{"[0-9a-f]{24}", strings.ToUpper(rowID), false},
		{"a|ab", "ab", true},
		{"(?m)^a$", "a\nb", false},
		{"(?i)abc", "ABC", true},
		{"", "a", false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.SetPathValue("id", c.id)
		id, err := httpadapter.PathPattern(regexp.MustCompile(c.re))(r)
		if !c.ok {
			require.ErrorIs(t, err, httpadapter.ErrMalformedID, "%s %q", c.re, c.id)
			require.Empty(t, id)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.id, id)
	}
	_, err := httpadapter.PathPattern(nil)(httptest.NewRequest(http.MethodPost, "/", nil))
	require.ErrorIs(t, err, httpadapter.ErrForbidden)
}

func TestLoyaltyDogMalformedID(t *testing.T) {
	t.Parallel()
	const valueError = `{"detail":[{"type":"value_error","loc":["path","pending_id"],"msg":"Value error, Id must be of type PydanticObjectId","input":%q,"ctx":{"error":{}}}]}`
	for id, stringError := range map[string]string{
		"x":                            `{"detail":[{"type":"string_too_short","loc":["path","pending_id"],"msg":"String should have at least 24 characters","input":"x","ctx":{"min_length":24}}]}`,
		"éééééééééééé":                 `{"detail":[{"type":"string_too_short","loc":["path","pending_id"],"msg":"String should have at least 24 characters","input":"éééééééééééé","ctx":{"min_length":24}}]}`,
		rowID + "0":                    `{"detail":[{"type":"string_too_long","loc":["path","pending_id"],"msg":"String should have at most 24 characters","input":"5eb7cf5a86d9755df3a6c5930","ctx":{"max_length":24}}]}`,
		strings.ToUpper(rowID):         `{"detail":[{"type":"string_pattern_mismatch","loc":["path","pending_id"],"msg":"String should match pattern '^[0-9a-f]{24}$'","input":"5EB7CF5A86D9755DF3A6C593","ctx":{"pattern":"^[0-9a-f]{24}$"}}]}`,
		"5eb7cf5a86d9755df3a6c59３":     `{"detail":[{"type":"string_pattern_mismatch","loc":["path","pending_id"],"msg":"String should match pattern '^[0-9a-f]{24}$'","input":"5eb7cf5a86d9755df3a6c59３","ctx":{"pattern":"^[0-9a-f]{24}$"}}]}`,
		strings.Repeat("é", 200) + "0": `{"detail":[{"type":"string_too_long","loc":["path","pending_id"],"msg":"String should have at most 24 characters","input":"` + strings.Repeat("é", 127) + `…","ctx":{"max_length":24}}]}`,
	} {
		for _, strict := range []bool{false, true} {
			b := newBench(t, httpadapter.LoyaltyDog{StringErrors: strict})
			b.identify = httpadapter.PathPattern(regexp.MustCompile("^[0-9a-f]{24}$"))
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.URL.Path = "/v2/signup/pending/" + id + "/setup-intent"
			w := b.serve(r)
			require.Equal(t, http.StatusUnprocessableEntity, w.Code)
			want := stringError
			if !strict {
				shown := id
				if len(shown) > 255 {
					shown = strings.Repeat("é", 127) + "…"
				}
				want = fmt.Sprintf(valueError, shown)
			}
			require.Equal(t, want+"\n", w.Body.String())
			require.Zero(t, b.asked)
		}
	}
}

func TestLoyaltyDogDetails(t *testing.T) {
	t.Parallel()
	b := newBench(t, httpadapter.LoyaltyDog{Details: map[string]httpadapter.Detail{
		"abandoned":         {Status: http.StatusConflict, Text: "SIGNUP_ABANDONED"},
		"pending_not_found": {Text: "No such signup"},
		"cancelled":         {Status: http.StatusGone},
	}})
	for status, want := range map[setupintent.Status]string{
		setupintent.Abandoned: `409 {"detail":"SIGNUP_ABANDONED"}`,
		setupintent.Cancelled: `410 {"detail":"cancelled"}`,
		setupintent.Active:    `400 {"detail":"already_active"}`,
		"":                    `404 {"detail":"No such signup"}`,
	} {
		if status == "" {
			b.rows.Delete(rowID)
		} else {
			require.NoError(t, b.rows.SetStatus(rowID, status))
		}
		w := b.setupIntent()
		require.Equal(t, want+"\n", fmt.Sprint(w.Code, " ", w.Body.String()))
		if status == "" {
			require.NoError(t, b.rows.Insert(rowID, time.Time{}))
		}
	}
	w := b.serve(httptest.NewRequest(http.MethodPost, "/nothing", nil))
	require.JSONEq(t, `{"detail":"Not Found"}`, w.Body.String())
}

func TestDocsURL(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.opts.DocsURL = "https://example.com/errors"
	require.NoError(t, b.rows.SetStatus(rowID, setupintent.Active))
	w := b.setupIntent()
	require.JSONEq(t, `{
		"type": "https://example.com/errors#already_active",
		"title": "Already active",
		"status": 409,
		"detail": "A payment method was saved already.",
		"code": "already_active"
	}`, w.Body.String())
}
