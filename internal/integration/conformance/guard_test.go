package conformance_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

// The triggers that docs/stores.md offers: they refuse a stale save, and are in
// nobody else's way.
func TestGuards(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, e := range dbtest.All() {
		t.Run(e.Driver, func(t *testing.T) {
			t.Parallel()
			r := layouts[1].open(t, e.Open(t), e, store.Options{})
			r.name += ", guarded"
			text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "owntable", "guard_"+e.Dialect.String()+".sql"))
			require.NoError(t, err)
			_, err = r.db.ExecContext(ctx, string(text))
			require.NoError(t, err)
			setupintenttest.TestStore(t, r.harness)

			row := r.pending(t)
			won, err := r.store.Swap(ctx, row, setupintent.Row{Status: setupintent.Active, Progress: parse(t, done)})
			require.NoError(t, err)
			require.True(t, won)
			for _, stale := range []string{
				`UPDATE {t} SET {status} = 'pending', email = 'x' WHERE {id} = ?`,
				`UPDATE {t} SET {status} = 'pending', {version} = 0, {progress} = NULL WHERE {id} = ?`,
				`UPDATE {t} SET {progress} = NULL WHERE {id} = ?`,
				`UPDATE {t} SET {version} = {version} + 2 WHERE {id} = ?`,
			} {
				require.ErrorContains(t, r.exec(stale, row.ID), "a stale save?")
			}
			require.Error(t, r.exec(`UPDATE {t} SET {due} = ? WHERE {id} = ?`, r.time(time.Now()), row.ID))
			require.NoError(t, r.exec(`UPDATE {t} SET email = 'x' WHERE {id} = ?`, row.ID))
			require.NoError(t, r.setStatus(row.ID, "suspended"))
			now, err := r.store.Load(ctx, row.ID)
			require.NoError(t, err)
			require.EqualValues(t, "suspended", now.Status)
		})
	}
}
