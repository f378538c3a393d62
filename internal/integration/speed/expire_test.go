package speed_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/internal/integration/dbtest"
	"github.com/cardonfile/cardonfile/store"
	"github.com/stretchr/testify/require"
)

var rowCount = flag.Int("rows", 1_000_000, "how many rows expire")

// BenchmarkExpire reports how many untouched rows a second one sweeper ends, a
// thousand at a time, while that many are due; and how much of a table in which
// one row in a hundred is pending the sweeper's index takes.
func BenchmarkExpire(b *testing.B) {
	ctx := context.Background()
	db := dbtest.Postgres.Durable().Open(b)
	rows, err := store.New(db, store.PostgreSQL, nil)
	require.NoError(b, err)
	require.NoError(b, rows.Migrate(ctx))
	exec := func(query string, args ...any) {
		b.Helper()
		_, err := db.ExecContext(ctx, query, args...)
		require.NoError(b, err)
	}
	exec(`INSERT INTO cardonfile_rows (id, subject, due) SELECT md5(n::text), n::text, now() - n * interval '1 ms' FROM generate_series(1, $1) n`, *rowCount)
	exec(`VACUUM ANALYZE cardonfile_rows`)
	now, total := time.Now(), 0
	for {
		n, err := rows.Expire(ctx, now, 1000)
		require.NoError(b, err)
		if total += n; n == 0 {
			break
		}
	}
	took := time.Since(now)
	require.Equal(b, *rowCount, total)
	b.ReportMetric(float64(total)/took.Seconds(), "rows/s")

	exec(`UPDATE cardonfile_rows SET due = now(), progress = repeat('x', 500) WHERE seq % 100 = 0`)
	exec(`VACUUM FULL cardonfile_rows`)
	var share float64
	require.NoError(b, db.QueryRowContext(ctx, `SELECT pg_relation_size('cardonfile_rows_due')::float8 / pg_relation_size('cardonfile_rows')`).Scan(&share))
	b.ReportMetric(share*100, "%-of-the-table")
	b.ReportMetric(0, "ns/op")
}
