package mount

import "net/http"

// NetHTTP is the whole mount in the standard library's router. No method in the
// pattern: a wrong one is answered in the handler's own words, too.
func NetHTTP(a *App) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/billing/signup/", a.Handler.Routes(a.identify))
	return signIn(http.NewCrossOriginProtection().Handler(mux))
}
