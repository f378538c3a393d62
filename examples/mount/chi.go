package mount

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// Chi is the whole mount in a chi router.
func Chi(a *App) http.Handler {
	r := chi.NewRouter()
	r.Use(signIn)
	r.Route("/billing", func(r chi.Router) {
		r.Mount("/signup", a.Handler.Routes(a.identify))
	})
	return r
}
