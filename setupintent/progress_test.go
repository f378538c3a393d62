package setupintent_test

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

var (
	_ driver.Valuer = setupintent.Progress{}
	_ sql.Scanner   = (*setupintent.Progress)(nil)
)

// golden is a row of the first release. It must be readable for ever.
const golden = `{"format":1,"ns":"prod","live":true,"phase":"closing","attempts":2,` +
	`"intent":{"id":"seti_1","key":"6b","request":{"usage":"off_session"},"sent":"2026-01-02T03:04:05.123456Z","last":"2026-01-02T03:04:06Z","free":true,"spent":true,"errors":2,"err_since":"2026-01-02T03:04:07Z"},` +
	`"customer":{"id":"cus_1","sent":"0001-01-01T00:00:00Z","last":"0001-01-01T00:00:00Z","err_since":"0001-01-01T00:00:00Z"},` +
	`"method":"pm_1","target":"cancelled","deadline":"2026-01-02T15:04:05Z","failed":["setatt_1"],"backoff":3,"written":7}`

func TestProgressGolden(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC) }
	var p setupintent.Progress
	require.NoError(t, p.Scan([]byte(golden)))
	require.Equal(t, setupintent.Account{
		Format: 1, Namespace: "prod", Live: true, Phase: setupintent.Closing, Attempts: 2,
		Intent: setupintent.Effect{
			ID: "seti_1", Key: "6b", Request: []byte(`{"usage":"off_session"}`), Sent: at(5).Add(123456 * time.Microsecond), Last: at(6),
			Free: true, Spent: true, Errors: 2, ErrSince: at(7),
		},
		Customer: &setupintent.Effect{ID: "cus_1"}, Method: "pm_1", Target: setupintent.Cancelled,
		Deadline: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Failed: []string{"setatt_1"}, Backoff: 3, Written: 7,
	}, setupintent.Read(p))
	v, err := p.Value()
	require.NoError(t, err)
	require.Equal(t, any(golden), v, "what is written is part of the format, too")
	require.Equal(t, "cus_1", p.CustomerID())
	require.Equal(t, setupintent.Cancelled, p.Closing())
	require.Equal(t, `closing attempts=2 intent="seti_1"`, fmt.Sprint(p))
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC), p.Sent())
	require.Equal(t, time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), p.Deadline())
	require.True(t, p.KeySpent())
	require.NoError(t, p.UnmarshalText([]byte(`{"format":1,"phase":"none","intent":{},"customer":{"key":"6b","sent":"2026-01-02T03:04:05Z"}}`)))
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), p.Sent(), "of the customer")
	require.False(t, p.KeySpent())
}

func TestProgressScan(t *testing.T) {
	t.Parallel()
	for _, null := range []any{nil, "", []byte(nil)} {
		p := newer(t)
		require.NoError(t, p.Scan(null))
		require.True(t, p.IsZero())
		require.Equal(t, setupintent.None, p.Phase())
		v, err := p.Value()
		require.NoError(t, err)
		require.Nil(t, v)
	}
	later := `{"format":2, "phase":"entangled","secret_of_the_future":1}`
	var p setupintent.Progress
	require.NoError(t, p.Scan(later))
	v, err := p.Value()
	require.NoError(t, err)
	require.Equal(t, later, v, "to the byte")
	require.Empty(t, p.Phase())
	require.False(t, p.IsZero())

	for _, bad := range []any{
		"x", "{", `[]`, 7, true, `{"format":"1"}`, `{"format":1,"phase":"entangled"}`, `{"format":1,"phase":3}`,
		`{"format":1,"phase":"attached","backoff":-9}`, `{"format":1,"phase":"none","attempts":-1}`, `{"format":1,"phase":"claimed","intent":{"errors":-1}}`,
		`{"format":1,"phase":"none","intent":{},"customer":{"errors":-1}}`, `{"format":1,"phase":"none","intent":{},"customer":{}}`,
		`{"format":1,"phase":"claimed","intent":{"key":"6b","request":"zzz"}}`, `{"format":1,"phase":"claimed","intent":{"request":{}}}`,
	} {
		err := p.Scan(bad)
		require.ErrorContains(t, err, "setupintent: the progress column", "%v", bad)
		v, err := p.Value()
		require.NoError(t, err)
		require.Equal(t, later, v, "a failed scan leaves what there was")
	}
}

func FuzzProgress(f *testing.F) {
	f.Add([]byte(golden))
	f.Add([]byte(`{"format":2}`))
	f.Add([]byte(`{"format":1,"phase":"none","intent":{}}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"format":1,"phase":"attached","backoff":-9}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p setupintent.Progress
		if p.Scan(text) != nil {
			return
		}
		_, _, _ = p.Phase(), p.String(), p.CustomerID()
		once, err := p.MarshalText()
		require.NoError(t, err)
		var q setupintent.Progress
		require.NoError(t, q.Scan(once))
		twice, err := q.MarshalText()
		require.NoError(t, err)
		require.True(t, bytes.Equal(once, twice), "%s\n%s", once, twice)
		r := setupintent.Row{ID: "42", Status: setupintent.Pending, Progress: p}
		for id := range setupintent.MoveCount {
			setupintent.Try(setupintent.NewRules(), setupintent.MoveID(id), r, time.Unix(0, 0), "k", setupintent.Intent{ID: "seti_1"}, setupintent.Abandoned, false)
		}
	})
}
