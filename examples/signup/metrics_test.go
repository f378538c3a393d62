package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// By either library the figures are those of docs/runbook.md.
func TestMetrics(t *testing.T) {
	t.Parallel()
	for _, library := range []string{"prometheus", "otel"} {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			d := start(t, "-metrics", library, "-sweep", "50ms", "-audit", "100ms", "-create-rate", "0.000001")
			shows := func(line string) {
				t.Helper()
				eventually(t, line, func() bool { return strings.Contains(d.metrics(t), "\n"+line) })
			}
			id, intent, secret := d.signup(t, "a@example.com")
			d.saveCard(t, intent, secret)
			eventually(t, "a webhook activates it", func() bool { return d.look(t, id).text("status") == "active" })
			shows(`cardonfile_moves_total{from="none",move="claim",to="claimed"} 1`)
			shows(`cardonfile_moves_total{from="attached",move="activate",to="active"} 1`)
			shows(`cardonfile_call_duration_seconds_count{call="create"} 1`)
			shows(`cardonfile_sweeps_total{result="ok"} `)
			shows(`cardonfile_stuck_rows{at="closing"} 0`)
			shows(`cardonfile_oldest_due_seconds `)
			shows(`cardonfile_rows_readable 1`)

			// An intent whose row is gone.
			shows(`cardonfile_audit_orphans 0`)
			made := send(t, http.MethodPost, d.fakeURL+"/v1/setup_intents", "sk_test_demo", "metadata[pending_user_id]=gone&metadata[cardonfile_namespace]=demo")
			require.Equal(t, http.StatusOK, made.status, made)
			shows(`cardonfile_audit_orphans 1`)

			// More than the budget allows.
			for i := range 20 {
				other := d.post(t, prefix, `{"email":"`+strings.Repeat("b", i+1)+`@example.com"}`).text("pendingId")
				d.post(t, prefix+"/"+other+"/setup-intent", "")
			}
			shows(`cardonfile_errors_total{call="budget",class="limited"} 1`)

			for _, never := range []string{id, intent, secret, "seti_", "sk_test", "whsec_", "example.com"} {
				require.NotContains(t, d.metrics(t), never)
			}
		})
	}
}

func (d *demo) metrics(t *testing.T) string {
	t.Helper()
	got := send(t, http.MethodGet, d.site+"/metrics", "", "")
	require.Equal(t, http.StatusOK, got.status, got)
	return got.body
}
