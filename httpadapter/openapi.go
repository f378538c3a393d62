package httpadapter

import "net/http"

// OpenAPI answers with the OpenAPI document of the dialect, as Routes does at
// openapi.json. It is for a route of the application's own, and tells everybody
// who asks: there is nothing of the application in it.
//
// The document has every path as the dialect means it to be mounted, and every
// answer as it is without options.
func (h *Handler) OpenAPI(w http.ResponseWriter, r *http.Request) {
	h.serve(&request{Request: r, h: h, w: w}, func(q *request) (reply, error) {
		if err := h.dialect.receive(q); err != nil {
			return reply{}, err
		}
		if r.Method != http.MethodGet {
			return notAllowed(r, http.MethodGet)
		}
		return document(q)
	})
}

// withDocument returns the routes and that of their document. It comes first:
// no id is openapi.json.
func withDocument(routes []route) []route {
	return append([]route{{http.MethodGet, "openapi.json", document}}, routes...)
}

// document is public: it has no use for identify.
func document(q *request) (reply, error) {
	return reply{status: http.StatusOK, contentType: "application/json", body: q.h.dialect.document()}, nil
}
