package mount

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Gin is the whole mount in a gin router. What gin's middleware keeps with c.Set
// the handler does not see; put it into c.Request's context.
func Gin(a *App) http.Handler {
	r := gin.New()
	r.Any("/billing/signup/*path", gin.WrapH(a.Handler.Routes(a.identify)))
	return signIn(r)
}

// GinRoutes is the single endpoints in routes of gin's own.
func GinRoutes(a *App) http.Handler {
	r := gin.New()
	mine := r.Group("/billing/signup/:id", func(c *gin.Context) {
		if err := a.may(c.Request.Context(), c.Param("id")); err != nil {
			c.AbortWithStatus(http.StatusForbidden)
		}
	})
	mine.POST("/setup-intent", func(c *gin.Context) {
		a.Handler.SetupIntent(c.Writer, c.Request, c.Param("id"))
	})
	mine.POST("/activate", func(c *gin.Context) {
		a.Handler.Activate(c.Writer, c.Request, c.Param("id"))
	})
	return signIn(r)
}
