package httpadapter

import (
	_ "embed"
	"net/http"
	"strings"

	"github.com/cardonfile/cardonfile/setupintent"
)

// problemJSON is our own dialect: its errors are problems (RFC 9457) with the
// code of the catalogue.
type problemJSON struct{}

func (problemJSON) check() error { return nil }

func (d problemJSON) routes() []route { return signupRoutes(d.begin) }

//go:embed openapi/default.json
var problemJSONDocument []byte

func (problemJSON) document() []byte { return problemJSONDocument }

func (problemJSON) receive(*request) error { return nil }

func (problemJSON) begin(q *request) (reply, error) {
	in, err := q.begin()
	if err != nil {
		return reply{}, err
	}
	return jsonReply(http.StatusOK, "application/json", struct {
		ClientSecret  string                   `json:"clientSecret"`
		SetupIntentID string                   `json:"setupIntentId"`
		Status        setupintent.IntentStatus `json:"status"`
	}{in.ClientSecret.Reveal(), in.ID, in.Status}), nil
}

func (problemJSON) activated(a account) reply {
	return jsonReply(http.StatusOK, "application/json", struct {
		Status setupintent.Status `json:"status"`
		UserID string             `json:"userId"`
		Email  string             `json:"email,omitempty"`
	}{setupintent.Active, a.userID, a.email})
}

func (problemJSON) failure(f failure) reply {
	problem := struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}{"about:blank", http.StatusText(f.status()), f.status(), f.text(), f.code()}
	if f.docsURL != "" {
		problem.Type = docsURL(f.docsURL, f.code())
		problem.Title = strings.ToUpper(f.code()[:1]) + strings.ReplaceAll(f.code()[1:], "_", " ")
	}
	if detail, ok := problemFaults[f.fault]; ok {
		problem.Detail = detail
	}
	return jsonReply(f.status(), "application/problem+json", problem)
}

// docsURL returns the link to what explains the code.
func docsURL(base, code string) string {
	if strings.Contains(base, "{code}") {
		return strings.ReplaceAll(base, "{code}", code)
	}
	return base + "#" + code
}

var problemFaults = map[fault]string{
	brokenBody:  "The body did not arrive whole.",
	missingBody: `A body is missing, such as {"setupIntentId": "seti_123"}.`,
	notJSON:     "The body is not JSON.",
	notObject:   "The body must be a JSON object.",
	missingID:   "The member setupIntentId is missing.",
	idNotString: "The member setupIntentId must be a string.",
	idEmpty:     "The member setupIntentId must have 1 to 200 characters.",
	idTooLong:   "The member setupIntentId must have 1 to 200 characters.",
	tooMany:     "The request has more than 500 parameters.",
}
