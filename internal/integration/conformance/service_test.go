package conformance_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

// application is a service with its handler, on rows that somebody else writes,
// too.
type application struct {
	*rows
	svc     *setupintent.Service
	stripe  *setupintenttest.FaultyProvider
	backend *setupintenttest.Provider
	now     time.Time
}

func (r *rows) application(t *testing.T) *application {
	t.Helper()
	a := &application{rows: r, backend: new(setupintenttest.Provider), now: time.Now()}
	a.stripe = &setupintenttest.FaultyProvider{Provider: a.backend}
	var err error
	a.svc, err = setupintent.New(r.store, a.stripe, &setupintent.Options{Now: func() time.Time { return a.now }, Rate: 1000})
	require.NoError(t, err)
	return a
}

// begun returns a row that has an intent.
func (a *application) begun(t *testing.T) setupintent.Row {
	t.Helper()
	id := a.pending(t).ID
	_, err := a.svc.Begin(context.Background(), id, nil)
	require.NoError(t, err)
	return a.load(t, id)
}

func (a *application) load(t *testing.T, id string) setupintent.Row {
	t.Helper()
	row, err := a.store.Load(context.Background(), id)
	require.NoError(t, err)
	return row
}

// answers asks for the row's intent by the handler, and by the service, and
// returns the service's error.
func (a *application) answers(t *testing.T, id string, status int) error {
	t.Helper()
	h, err := httpadapter.New(a.svc, nil)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.SetupIntent(w, httptest.NewRequest(http.MethodPost, "/", nil), id)
	require.Equal(t, status, w.Code, w.Body)
	_, err = a.svc.Begin(context.Background(), id, nil)
	return err
}

// sweep sweeps past every deadline.
func (a *application) sweep(t *testing.T) setupintent.Report {
	t.Helper()
	a.now = a.now.Add(48 * time.Hour)
	report, err := a.svc.Sweep(context.Background(), a.store, &setupintent.SweepOptions{Expire: a.store.Expire})
	require.NoError(t, err)
	return report
}

// What the application does to a row behind the service's back is answered with
// what it is, and the service makes no second intent.
func TestRowsOfOthers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	onEach(t, func(t *testing.T, e dbtest.Engine, l layout) {
		r := l.open(t, e.Open(t), e, store.Options{})
		untouched := func(t *testing.T, a *application, row setupintent.Row) {
			t.Helper()
			require.Equal(t, row, a.load(t, row.ID))
			require.Equal(t, 1, a.stripe.Calls("CreateIntent"))
		}
		inTurn(t, "deleted", func(t *testing.T) {
			a := r.application(t)
			row := a.begun(t)
			r.delete(row.ID)
			require.ErrorIs(t, a.answers(t, row.ID, http.StatusNotFound), setupintent.ErrNotFound)
			require.Equal(t, 1, a.stripe.Calls("CreateIntent"))
		})
		inTurn(t, "another word", func(t *testing.T) {
			a := r.application(t)
			row := a.begun(t)
			foreign := setupintent.Status("suspended")
			if r.foreign != "" {
				foreign = r.foreign
			}
			require.NoError(t, r.setStatus(row.ID, foreign))
			require.ErrorIs(t, a.answers(t, row.ID, http.StatusConflict), setupintent.ErrNotPending)
			row.Status, row.Version = foreign, row.Version+1
			untouched(t, a, row)
			a.sweep(t)
			require.Equal(t, setupintent.Canceled, a.backend.Intents()[0].Status)
			require.Equal(t, foreign, a.load(t, row.ID).Status)
		})
		inTurn(t, "written by a newer release", func(t *testing.T) {
			a := r.application(t)
			row := a.begun(t)
			const newer = `{"format":999, "phase":"entangled"}`
			require.NoError(t, r.exec(`UPDATE {t} SET {progress} = ?, {version} = {version} + 1 WHERE {id} = ?`, newer, row.ID))
			row = a.load(t, row.ID)
			require.ErrorIs(t, a.answers(t, row.ID, http.StatusServiceUnavailable), setupintent.ErrUnresolved)
			a.sweep(t)
			untouched(t, a, row)
			require.NoError(t, r.setStatus(row.ID, setupintent.Abandoned)) // out of the way
		})
		inTurn(t, "corrupt", func(t *testing.T) {
			a := r.application(t)
			row := a.begun(t)
			const corrupt = `{"format":1,"phase":"att`
			require.NoError(t, r.exec(`UPDATE {t} SET {progress} = ? WHERE {id} = ?`, corrupt, row.ID))
			err := a.answers(t, row.ID, http.StatusServiceUnavailable)
			require.ErrorContains(t, err, `row "`+row.ID+`": column `)
			require.ErrorContains(t, err, "progress")
			require.Equal(t, 1, r.count(t, `SELECT COUNT(*) FROM {t} WHERE {id} = ? AND {progress} = ? AND {version} = ?`, row.ID, corrupt, row.Version))
			r.delete(row.ID)
		})
		inTurn(t, "its version taken back", func(t *testing.T) {
			a := r.application(t)
			row := a.begun(t)
			require.NoError(t, r.exec(`UPDATE {t} SET {version} = {version} - 1 WHERE {id} = ?`, row.ID))
			row.Version--
			require.ErrorContains(t, a.answers(t, row.ID, http.StatusServiceUnavailable), "an older copy of the row was saved over it")
			require.Equal(t, 1, a.sweep(t).Failed)
			untouched(t, a, row)
			// As the error says.
			require.NoError(t, r.exec(`UPDATE {t} SET {version} = {version} + 2 WHERE {id} = ?`, row.ID))
			require.Equal(t, 1, a.sweep(t).Abandoned)
		})
		inTurn(t, "pending again, by a stale save", func(t *testing.T) {
			a := r.application(t)
			row := a.begun(t)
			require.NoError(t, a.backend.Confirm(row.Progress.IntentID(), "pm_1"))
			active, err := a.svc.Activate(ctx, row.ID, row.Progress.IntentID())
			require.NoError(t, err)
			require.NoError(t, r.exec(`UPDATE {t} SET {status} = ?, {version} = ? WHERE {id} = ?`, r.word(setupintent.Pending), row.Version, row.ID))
			require.ErrorIs(t, a.answers(t, row.ID, http.StatusConflict), setupintent.ErrNotPending)
			now := a.load(t, row.ID)
			require.Equal(t, setupintent.Active, now.Status)
			require.Equal(t, active.Progress.PaymentMethodID(), now.Progress.PaymentMethodID())
			require.Equal(t, 1, a.stripe.Calls("CreateIntent"))
		})
		inTurn(t, "its intent unknown to the provider", func(t *testing.T) {
			a := r.application(t)
			row := a.begun(t)
			another := r.application(t) // with another account's key
			require.ErrorIs(t, another.answers(t, row.ID, http.StatusConflict), setupintent.ErrMismatch)
			require.Zero(t, another.stripe.Calls("CreateIntent"))
			require.Equal(t, row.Progress.IntentID(), a.load(t, row.ID).Progress.IntentID())
			_, err := a.svc.Begin(ctx, row.ID, nil)
			require.NoError(t, err, "with the right key again")
		})
	})
}

// A table without the columns is trouble of ours, and named.
func TestTableWithoutColumns(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			db := e.Open(t)
			_, err := db.ExecContext(context.Background(), loose.create[e.Dialect])
			require.NoError(t, err)
			s, err := store.New(db, e.Dialect, &store.Options{Table: loose.table})
			require.NoError(t, err)
			a := (&rows{layout: loose, db: db, store: s, dialect: e.Dialect}).application(t)
			require.ErrorContains(t, a.answers(t, "42", http.StatusServiceUnavailable), "cardonfile_version")
			require.Zero(t, a.stripe.Calls("CreateIntent"))
		})
	}
}
