package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// eventually waits for what the sweeper or a webhook brings about. It asks in the
// test's own goroutine, so that is may end the test.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if is() {
			return
		}
	}
	require.FailNow(t, "it did not come about", what)
}

// ttl is time enough for a signup, and for a card, on a machine that stalls; and
// what a test waits for that needs a deadline to pass.
const ttl = "8s"

func (d *demo) signup(t *testing.T, email string) (id, intent, secret string) {
	t.Helper()
	id = d.post(t, prefix, `{"email":"`+email+`"}`).text("pendingId")
	got := d.post(t, prefix+"/"+id+"/setup-intent", "")
	require.Equal(t, http.StatusOK, got.status, got)
	return id, got.text("setupIntentId"), got.text("clientSecret")
}

func (d *demo) saveCard(t *testing.T, intent, secret string) {
	t.Helper()
	form := url.Values{"client_secret": {secret}, "payment_method": {"pm_card_visa"}}
	got := send(t, http.MethodPost, d.fakeURL+"/v1/setup_intents/"+intent+"/confirm", "pk_test_demo", form.Encode())
	require.Equal(t, "succeeded", got.text("status"))
}

// look is what the page for people who watch says of a row.
func (d *demo) look(t *testing.T, id string) answer {
	t.Helper()
	return send(t, http.MethodGet, d.site+"/demo/signups/"+id, "", "")
}

// endpoints counts the webhook endpoints at the fake.
func (d *demo) endpoints(t *testing.T) int {
	t.Helper()
	var list struct{ Data []json.RawMessage }
	a := send(t, http.MethodGet, d.fakeURL+"/v1/webhook_endpoints?limit=100", "sk_test_demo", "")
	require.NoError(t, json.Unmarshal([]byte(a.body), &list), a)
	return len(list.Data)
}

// says reports what a further setup-intent of the row is refused with.
func (d *demo) says(t *testing.T, id string) string {
	t.Helper()
	if got := d.post(t, prefix+"/"+id+"/setup-intent", ""); got.status != http.StatusOK {
		return got.text("detail")
	}
	return ""
}

// What is in the file is there after a restart, and so is what the fake knew.
func TestRestart(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "signups.db")
	d := start(t, "-db", db)
	id, intent, secret := d.signup(t, "a@example.com")
	d.stop()

	d = start(t, "-db", db)
	again := d.post(t, prefix, `{"email":"a@example.com"}`)
	require.Equal(t, http.StatusOK, again.status)
	require.Equal(t, id, again.text("pendingId"))
	got := d.post(t, prefix+"/"+id+"/setup-intent", "")
	require.Equal(t, intent, got.text("setupIntentId"))
	d.saveCard(t, intent, secret)
	eventually(t, "a webhook activates it", func() bool { return d.says(t, id) == "already_active" })
	require.Equal(t, "email_taken", d.post(t, prefix, `{"email":"a@example.com"}`).text("detail"))
	require.Equal(t, "a@example.com", d.post(t, prefix+"/"+id+"/activate", `{"setupIntentId":"`+intent+`"}`).text("email"))
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	d := start(t, "-ttl", ttl, "-sweep", "50ms")
	id, intent, _ := d.signup(t, "a@example.com")
	eventually(t, "the row is abandoned", func() bool { return d.says(t, id) == "abandoned" })
	got := send(t, http.MethodGet, d.fakeURL+"/v1/setup_intents/"+intent, "sk_test_demo", "")
	require.Equal(t, "canceled", got.text("status"))
	require.Equal(t, http.StatusCreated, d.post(t, prefix, `{"email":"a@example.com"}`).status, "the next signup is another row")
}

func TestWithoutWebhooks(t *testing.T) {
	t.Parallel()
	d := start(t, "-ttl", ttl, "-sweep", "50ms")
	drop := send(t, http.MethodPost, d.fakeURL+"/_stripetest/webhooks", "", `{"mode":"drop"}`)
	require.Less(t, drop.status, 300, drop)
	id, intent, secret := d.signup(t, "a@example.com")
	d.saveCard(t, intent, secret)
	eventually(t, "the sweeper finds out", func() bool {
		got := send(t, http.MethodGet, d.fakeURL+"/v1/setup_intents/"+intent, "sk_test_demo", "")
		require.Equal(t, "succeeded", got.text("status"))
		return d.post(t, prefix, `{"email":"a@example.com"}`).text("detail") == "email_taken"
	})
	require.Equal(t, "already_active", d.says(t, id))
}

// The sweeper has begun to close the row, and the card is saved before its intent
// is canceled: for as long as it takes, the cancel fails.
func TestSavedWhileClosing(t *testing.T) {
	t.Parallel()
	d := start(t, "-ttl", ttl, "-sweep", "50ms")
	control := func(what, document string) {
		got := send(t, http.MethodPost, d.fakeURL+"/_stripetest/"+what, "", document)
		require.Less(t, got.status, 300, got)
	}
	control("webhooks", `{"mode":"drop"}`)
	control("faults", `{"path":"/v1/setup_intents/:id/cancel","status":503}`)
	id, intent, secret := d.signup(t, "a@example.com")
	eventually(t, "the row is closing", func() bool { return d.look(t, id).text("phase") == "closing" })
	require.Equal(t, "pending", d.look(t, id).text("status"))
	require.Equal(t, "closing", d.says(t, id))
	d.saveCard(t, intent, secret)
	control("faults", `{"faults":[]}`)
	eventually(t, "the card was first", func() bool { return d.look(t, id).text("status") == "active" })
}

// What a person who watches is told, from the beginning to the end.
func TestStatus(t *testing.T) {
	t.Parallel()
	d := start(t)
	id := d.post(t, prefix, `{"email":"a@example.com"}`).text("pendingId")
	look := func() (fields map[string]any) {
		got := d.look(t, id)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "no-store", got.header.Get("Cache-Control"))
		require.NoError(t, json.Unmarshal([]byte(got.body), &fields))
		delete(fields, "due")
		return fields
	}
	require.Equal(t, map[string]any{"id": id, "status": "pending", "phase": "none"}, look())
	_, intent, secret := d.signup(t, "a@example.com")
	require.Equal(t, map[string]any{"id": id, "status": "pending", "phase": "attached", "setupIntentId": intent}, look())
	d.saveCard(t, intent, secret)
	eventually(t, "a webhook activates it", func() bool { return d.look(t, id).text("status") == "active" })
	require.Equal(t, map[string]any{"id": id, "status": "active", "phase": "done", "setupIntentId": intent}, look())
	require.Equal(t, http.StatusNotFound, d.look(t, "0123456789abcdef01234567").status)
}
