package httpadapter_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

// BenchmarkSetupIntent is a repeated request: what the handler costs is the
// difference between the two.
func BenchmarkSetupIntent(b *testing.B) {
	rows := memstore.New()
	require.NoError(b, rows.Insert(rowID, time.Time{}))
	svc, err := setupintent.New(rows, new(setupintenttest.Provider), nil)
	require.NoError(b, err)
	h, err := httpadapter.New(svc, nil)
	require.NoError(b, err)
	for _, c := range []struct {
		name string
		do   func(http.ResponseWriter, *http.Request)
	}{
		{"service", func(_ http.ResponseWriter, r *http.Request) { _, _ = svc.Begin(r.Context(), rowID, nil) }},
		{"handler", h.Routes(httpadapter.PathID).ServeHTTP},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				c.do(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/signup/"+rowID+"/setup-intent", nil))
			}
		})
	}
}
