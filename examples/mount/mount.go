// Package mount shows the handler in the routers that people use, each in a
// file of its own: the whole mount, and single endpoints inside routes of the
// application's own.
//
// The whole mount, [httpadapter.Handler.Routes], works in every router that
// hands over an *http.Request, and under any prefix, stripped or not. What a
// router knows about the request is in the request's context or it is lost:
// identify sees nothing else.
//
// The single endpoints, [httpadapter.Handler.SetupIntent] and
// [httpadapter.Handler.Activate], check nothing: a route that calls them has
// decided who may act.
package mount

import (
	"context"
	"net/http"
	"strings"

	"github.com/cardonfile/cardonfile/httpadapter"
)

// App stands for the application: it knows who is signed in, and which rows are
// theirs.
type App struct {
	Handler *httpadapter.Handler
	Owner   func(ctx context.Context, row string) (user string, err error)
}

// identify lets the owner of a row act on it, and nobody else.
func (a *App) identify(r *http.Request) (string, error) {
	id := r.PathValue("id")
	return id, a.may(r.Context(), id)
}

// may returns why whoever is signed in may not act on the row, or nil.
func (a *App) may(ctx context.Context, row string) error {
	user, ok := ctx.Value(userKey{}).(string)
	if !ok {
		return httpadapter.ErrUnauthenticated
	}
	owner, err := a.Owner(ctx, row)
	if err != nil {
		return err
	}
	if owner != user {
		return httpadapter.ErrForbidden
	}
	return nil
}

type userKey struct{}

// signIn stands for the application's login: here, whoever says a name has it.
func signIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			r = r.WithContext(context.WithValue(r.Context(), userKey{}, user))
		}
		next.ServeHTTP(w, r)
	})
}
