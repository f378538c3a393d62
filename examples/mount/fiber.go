package mount

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
)

// Fiber is the whole mount in a fiber app. What fiber's middleware keeps with
// fiber.Locals is in the context that the handler sees.
func Fiber(a *App) *fiber.App {
	app := fiber.New()
	app.Use(fiberSignIn)
	app.All("/billing/signup/*", adaptor.HTTPHandler(a.Handler.Routes(func(r *http.Request) (string, error) {
		id, err := a.identify(r)
		return strings.Clone(id), err // the next request overwrites fiber's own, and an observer may keep it
	})))
	return app
}

// FiberRoutes is the single endpoints in routes of fiber's own.
func FiberRoutes(a *App) *fiber.App {
	app := fiber.New()
	app.Use(fiberSignIn)
	route := func(serve func(http.ResponseWriter, *http.Request, string)) fiber.Handler {
		return func(c fiber.Ctx) error {
			id := strings.Clone(c.Params("id")) // as above
			if err := a.may(c, id); err != nil {
				return fiber.ErrForbidden
			}
			return adaptor.HTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, r, id) })(c)
		}
	}
	app.Post("/billing/signup/:id/setup-intent", route(a.Handler.SetupIntent))
	app.Post("/billing/signup/:id/activate", route(a.Handler.Activate))
	return app
}

func fiberSignIn(c fiber.Ctx) error {
	if user, ok := strings.CutPrefix(c.Get("Authorization"), "Bearer "); ok {
		fiber.Locals(c, userKey{}, strings.Clone(user))
	}
	return c.Next()
}
