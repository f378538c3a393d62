package mount

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Echo is the whole mount in an echo router. What echo's middleware keeps with
// c.Set the handler does not see; put it into the request's context.
func Echo(a *App) http.Handler {
	e := echo.New()
	e.Use(echo.WrapMiddleware(signIn))
	e.Any("/billing/signup/*", echo.WrapHandler(a.Handler.Routes(a.identify)))
	return e
}

// EchoRoutes is the single endpoints in routes of echo's own.
func EchoRoutes(a *App) http.Handler {
	e := echo.New()
	e.Use(echo.WrapMiddleware(signIn))
	mine := e.Group("/billing/signup/:id", func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := a.may(c.Request().Context(), c.Param("id")); err != nil {
				return echo.NewHTTPError(http.StatusForbidden)
			}
			return next(c)
		}
	})
	mine.POST("/setup-intent", func(c echo.Context) error {
		a.Handler.SetupIntent(c.Response(), c.Request(), c.Param("id"))
		return nil
	})
	mine.POST("/activate", func(c echo.Context) error {
		a.Handler.Activate(c.Response(), c.Request(), c.Param("id"))
		return nil
	})
	return e
}
