package mount_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/examples/mount"
	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode) // gin prints its routes otherwise
	m.Run()
}

// do sends one request, as user unless that is empty, and returns the answer.
type do func(t *testing.T, method, path, user, body string) (int, http.Header, string)

func TestMount(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		build  func(*mount.App) do
		routes bool // the application's own, with errors of its own
	}{
		"net/http":     {build: over(mount.NetHTTP)},
		"chi":          {build: over(mount.Chi)},
		"gin":          {build: over(mount.Gin)},
		"gin routes":   {build: over(mount.GinRoutes), routes: true},
		"echo":         {build: over(mount.Echo)},
		"echo routes":  {build: over(mount.EchoRoutes), routes: true},
		"fiber":        {build: overFiber(mount.Fiber)},
		"fiber routes": {build: overFiber(mount.FiberRoutes), routes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows := memstore.New()
			provider := new(setupintenttest.Provider)
			svc, err := setupintent.New(rows, provider, nil)
			require.NoError(t, err)
			h, err := httpadapter.New(svc, nil)
			require.NoError(t, err)
			require.NoError(t, rows.Insert("42", time.Time{}))
			send := tt.build(&mount.App{
				Handler: h,
				Owner:   func(context.Context, string) (string, error) { return "ann", nil },
			})

			const created = `{"clientSecret":"seti_1_secret_test","setupIntentId":"seti_1","status":"requires_payment_method"}`
			for range 2 {
				status, header, body := send(t, "POST", "/billing/signup/42/setup-intent", "ann", "")
				require.Equal(t, http.StatusOK, status, body)
				require.JSONEq(t, created, body)
				require.Equal(t, "no-store", header.Get("Cache-Control"))
			}
			require.Len(t, provider.Intents(), 1)

			status, _, body := send(t, "POST", "/billing/signup/42/setup-intent", "bob", "")
			require.Equal(t, http.StatusForbidden, status, body)
			if !tt.routes {
				status, header, body := send(t, "POST", "/billing/signup/42/setup-intent", "", "")
				require.Equal(t, http.StatusUnauthorized, status, body)
				require.Equal(t, "application/problem+json", header.Get("Content-Type"))
				status, header, body = send(t, "GET", "/billing/signup/42/setup-intent", "ann", "")
				require.Equal(t, http.StatusMethodNotAllowed, status, body)
				require.Contains(t, header.Get("Allow"), "POST")
				status, header, body = send(t, "POST", "/billing/signup/42/nothing", "ann", "")
				require.Equal(t, http.StatusNotFound, status, body)
				require.Equal(t, "application/problem+json", header.Get("Content-Type"))
			}

			require.NoError(t, provider.Confirm("seti_1", "pm_1"))
			status, _, body = send(t, "POST", "/billing/signup/42/activate", "ann", `{"setupIntentId":"seti_1"}`)
			require.Equal(t, http.StatusOK, status, body)
			status, _, body = send(t, "POST", "/billing/signup/42/setup-intent", "ann", "")
			require.Equal(t, http.StatusConflict, status, body)
			require.Contains(t, body, "already_active")
		})
	}
}

func over(build func(*mount.App) http.Handler) func(*mount.App) do {
	return func(a *mount.App) do {
		h := build(a)
		return func(_ *testing.T, method, path, user, body string) (int, http.Header, string) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(method, path, user, body))
			return w.Code, w.Header(), w.Body.String()
		}
	}
}

func overFiber(build func(*mount.App) *fiber.App) func(*mount.App) do {
	return func(a *mount.App) do {
		app := build(a)
		return func(t *testing.T, method, path, user, body string) (int, http.Header, string) {
			t.Helper()
			resp, err := app.Test(request(method, path, user, body))
			require.NoError(t, err)
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return resp.StatusCode, resp.Header, string(text)
		}
	}
}

func request(method, path, user, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+user)
	}
	return r
}
