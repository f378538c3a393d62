package owntable_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v79"
	stripeintent "github.com/stripe/stripe-go/v79/setupintent"

	"github.com/cardonfile/cardonfile/examples/owntable"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

// A table with a past: users who were pending before the library came, some with
// an intent of the application's own.
func TestMovingInAndOut(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := postgreSQL.open(t)
	exec(t, db, postgreSQL.users)
	exec(t, db, `INSERT INTO users (id, email, status) SELECT n, n || '@example.com', 'awaiting_card' FROM generate_series(1, 30) n`)
	exec(t, db, `INSERT INTO users (id, email, status) VALUES (31, 'b@example.com', 'banned'), (32, 'm@example.com', 'member')`)
	rows, err := store.New(db, store.PostgreSQL, &store.Options{Table: owntable.UsersTable()})
	require.NoError(t, err)
	for statement := range strings.SplitSeq(strings.TrimSpace(rows.SQL()), ";\n") {
		exec(t, db, statement)
	}
	exec(t, db, owntable.StatusGuard)

	// The service's clock is moved, so that nobody waits for deadlines.
	fake := stripetest.NewServer(t, nil)
	provider, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{BaseURL: fake.URL})
	require.NoError(t, err)
	now := time.Now()
	svc, err := setupintent.New(rows, provider, &setupintent.Options{Now: func() time.Time { return now }, Rate: 1e6})
	require.NoError(t, err)
	intents := stripeintent.Client{Key: stripetest.DefaultSecretKey, B: stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: stripe.String(fake.URL), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}, MaxNetworkRetries: stripe.Int64(0),
	})}
	made := func() string {
		in, err := intents.New(&stripe.SetupIntentParams{PaymentMethodTypes: []*string{stripe.String("card")}})
		require.NoError(t, err)
		return in.ID
	}
	open, saved, canceled := made(), made(), made()
	_, err = intents.Confirm(saved, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")})
	require.NoError(t, err)
	_, err = intents.Cancel(canceled, nil)
	require.NoError(t, err)

	banned := made()
	old := []owntable.Old{{"1", open}, {"2", saved}, {"3", canceled}, {"4", "seti_unknown"}, {"31", banned}}
	for range 2 {
		left, err := owntable.ImportOld(ctx, intents, svc, old)
		require.NoError(t, err)
		require.Subset(t, left, old[2:])
	}
	_, err = intents.Cancel(banned, nil) // nobody else would
	require.NoError(t, err)
	require.Equal(t, open, statusOf(t, rows, "1").Progress.IntentID())
	require.Equal(t, setupintent.Active, statusOf(t, rows, "2").Status)

	// Nobody has touched the others, and the first sweep has nothing to do.
	report, err := svc.Sweep(ctx, rows, nil)
	require.NoError(t, err)
	require.Zero(t, report.Looked)
	n, err := owntable.SetDeadlines(ctx, db, now.Add(time.Hour), 7)
	require.NoError(t, err)
	require.EqualValues(t, 28, n)

	// Look first; then a few; then all.
	now = now.Add(24 * time.Hour)
	version := statusOf(t, rows, "3").Version
	report, err = svc.Sweep(ctx, rows, &setupintent.SweepOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, 29, report.Looked)
	require.Equal(t, version, statusOf(t, rows, "3").Version, "a dry run writes nothing")
	report, err = svc.Sweep(ctx, rows, &setupintent.SweepOptions{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, 10, report.Looked)
	require.Equal(t, 1, report.Abandoned, "the one with an intent")
	require.True(t, report.Left)
	report, err = svc.Sweep(ctx, rows, &setupintent.SweepOptions{Expire: rows.Expire})
	require.NoError(t, err)
	require.Equal(t, 19, report.Expired)
	require.Equal(t, "canceled", status(t, fake, open))
	require.Equal(t, map[string]int{"expired": 29, "member": 2, "banned": 1}, words(t, db))

	// Out again.
	exec(t, db, `INSERT INTO users (id, email) VALUES (50, 'n@example.com'), (51, 'o@example.com'), (52, 'p@example.com')`)
	in, err := svc.Begin(ctx, "50", nil)
	require.NoError(t, err)
	late, err := svc.Begin(ctx, "51", nil)
	require.NoError(t, err)
	_, err = intents.Confirm(late.ID, &stripe.SetupIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")})
	require.NoError(t, err)
	require.NoError(t, fake.Inject(stripetest.Fault{Route: "POST /v1/setup_intents/:id/cancel", Status: 400}))
	stuck, err := owntable.Leave(ctx, db, svc)
	require.NoError(t, err)
	require.Equal(t, []int64{50}, stuck)
	fake.ClearFaults()
	stuck, err = owntable.Leave(ctx, db, svc)
	require.NoError(t, err)
	require.Empty(t, stuck)
	require.Equal(t, "canceled", status(t, fake, in.ID))
	require.Equal(t, map[string]int{"expired": 29, "member": 3, "banned": 1, "withdrawn": 1, "awaiting_card": 1}, words(t, db))
	for _, si := range fake.SetupIntents() {
		require.Contains(t, []string{"succeeded", "canceled"}, si.Status, si.ID)
	}
}

func statusOf(t *testing.T, rows *store.Store, id string) setupintent.Row {
	t.Helper()
	r, err := rows.Load(context.Background(), id)
	require.NoError(t, err)
	return r
}

func status(t *testing.T, fake *stripetest.Server, intent string) string {
	t.Helper()
	for _, si := range fake.SetupIntents() {
		if si.ID == intent {
			return si.Status
		}
	}
	return ""
}

// words counts the users by the application's word for their status.
func words(t *testing.T, db *sql.DB) map[string]int {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), `SELECT status, count(*) FROM users GROUP BY status`)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // rows.Err tells
	counts := map[string]int{}
	for rows.Next() {
		var word string
		var n int
		require.NoError(t, rows.Scan(&word, &n))
		counts[word] = n
	}
	require.NoError(t, rows.Err())
	return counts
}
