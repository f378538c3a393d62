package httpadapter_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
)

// TestDocument: it is beside the routes, and nobody is asked who they are. What
// it says is held against the answers in internal/integration/openapi.
func TestDocument(t *testing.T) {
	t.Parallel()
	for name, dialect := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, dialect)
			b.identify = refuse(httpadapter.ErrForbidden)
			for _, path := range []string{"/openapi.json", "/any/mount/openapi.json", "/openapi%2Ejson"} {
				w := b.serve(httptest.NewRequest(http.MethodGet, path, nil))
				require.Equal(t, http.StatusOK, w.Code)
				require.Equal(t, "application/json", w.Header().Get("Content-Type"))
				var document struct {
					OpenAPI string                     `json:"openapi"`
					Paths   map[string]json.RawMessage `json:"paths"`
				}
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &document))
				require.Equal(t, "3.1.0", document.OpenAPI)
				require.NotEmpty(t, document.Paths)
			}
			w := b.serve(httptest.NewRequest(http.MethodPut, "/openapi.json", nil))
			require.Equal(t, http.StatusMethodNotAllowed, w.Code)

			endpoint := recorded(dialect, "openapi.json", http.HandlerFunc(b.h.OpenAPI))
			for method, want := range map[string]int{
				http.MethodGet: http.StatusOK, http.MethodPost: http.StatusMethodNotAllowed, http.MethodOptions: http.StatusNoContent,
			} {
				w := httptest.NewRecorder()
				endpoint.ServeHTTP(w, httptest.NewRequest(method, "/anything", nil))
				checkAnswer(t, w)
				require.Equal(t, want, w.Code)
			}
		})
	}
}

// TestFailures has every outcome recorded, and every endpoint.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, dialect := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, endpoint := range httpadapter.Endpoints(dialect) {
				record(exchange{Dialect: dialectName(dialect), Endpoint: "listed", Method: endpoint[0], Path: endpoint[1]})
			}
			httpadapter.Failures(dialect, func(write func(http.ResponseWriter)) {
				h := recorded(dialect, "any", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w) }))
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
				checkAnswer(t, w)
				require.GreaterOrEqual(t, w.Code, 400)
			})
		})
	}
}
