package stripeport

import (
	"context"
	"net/http"
	"time"

	"github.com/cardonfile/cardonfile/stripeport/internal/redact"
)

// SetSleep replaces the pause between attempts.
func (p *Provider) SetSleep(f func(context.Context, time.Duration) error) { p.sleep = f }

// Delay is how long the pause after attempt n is.
var Delay = delay

// Row returns the row of the table that an answer falls under, and what it says.
func Row(create bool, status int, header http.Header, body string, err error) (name string, result, again bool, sentinel error) {
	c := &call{create: create, decode: func(b []byte) error { _, err := decodeIntent(b, ""); return err }}
	c.carries = func(int) bool { return header.Get("X-Ours") != "" }
	a := answered(c, &exchange{status: status, header: header, body: []byte(body), err: err})
	for _, row := range table {
		if row.matches(&a) {
			name = row.answer
			break
		}
	}
	v := judge(c, &a)
	return name, v.result, v.again, v.means
}

// Rows returns the names of the rows.
func Rows() []string {
	var names []string
	for _, row := range table {
		names = append(names, row.answer)
	}
	return names
}

// Why an attempt has no whole answer.
var (
	ErrTooLate  = errTooLate
	ErrTooLarge = errTooLarge
)

// CutSecrets is what Intent.Raw has been through.
var CutSecrets = redact.JSON

// Sleep is the pause itself.
var Sleep = sleep
