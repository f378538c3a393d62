package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/cardonfile/cardonfile/setupintent"
)

// statements are those that differ by dialect or table.
type statements struct {
	load, swap      string
	due, dueAfter   string
	expire, check   string
	current, latest string // of a subject
	pending         string // of a subject, as committed: a transaction's snapshot may be older
	insert, end     string
	subject         string
}

func (s *Store) statements() statements {
	d, t := s.dialect, s.table
	names := strings.NewReplacer(
		"{table}", d.quote(t.Name),
		"{id}", d.quote(t.ID),
		"{an id}", d.id(t.IDType),
		"{status}", d.quote(t.Status),
		"{status = ?}", d.isWord(d.quote(t.Status)),
		"{version}", d.quote(t.Version),
		"{due}", d.quote(t.Due),
		"{progress}", d.quote(t.Progress),
		"{and where}", t.and(), // in which nothing is replaced
		"{columns}", strings.Join([]string{
			d.quote(t.ID), d.quote(t.Status), d.quote(t.Version), d.selectTime(d.quote(t.Due)), d.quote(t.Progress),
		}, ", "),
	)
	sql := func(query string) string { return d.bind(names.Replace(query)) }

	// MySQL uses an index for the comparison of pairs only if it is written out.
	after := `({due}, {id}) > (?, {an id})`
	if d == MySQL {
		after = `({due} > ? OR {due} = ? AND {id} > ?)`
	}
	const untouched = `{status = ?} AND {progress} IS NULL AND {due} <= ?{and where}`
	expire := `UPDATE {table} SET {status} = ?, {version} = {version} + 1, {due} = NULL WHERE ` + untouched
	const order = ` ORDER BY {due}, {id} LIMIT ?`
	finite := ""
	switch d {
	case PostgreSQL:
		finite = ` AND {due} > '-infinity'` // which no time.Time is
		// An array is made once; IN may run the subquery for each row, and skip what
		// it has locked.
		place := `{id}`
		if s.own { // saves a look-up; in a partitioned table, a place is not one row's
			place = `ctid`
		}
		expire = `WITH first AS MATERIALIZED (SELECT ` + place + ` AS place, {due} AS due FROM {table} WHERE {due} >= COALESCE(CAST(? AS timestamptz), '-infinity') AND ` +
			untouched + finite + order + ` FOR UPDATE SKIP LOCKED), ended AS (` + expire + ` AND ` + place + ` = ANY (ARRAY(SELECT place FROM first)) RETURNING 1) ` +
			`SELECT (SELECT count(*) FROM ended), (SELECT max(due) FROM first)`
	case SQLite:
		expire += ` AND {id} IN (SELECT {id} FROM {table} WHERE ` + untouched + order + `)`
	case MySQL: // it has no LIMIT in such a subquery, but one in an UPDATE
		expire += order
	}
	pending, keep := `subject = ? AND status = 'pending'`, `ON CONFLICT DO NOTHING`
	if d == MySQL {
		pending, keep = `pending_subject = ? FOR UPDATE`, `ON DUPLICATE KEY UPDATE id = id`
	}
	return statements{
		load:     sql(`SELECT {columns} FROM {table} WHERE {id} = {an id}{and where}`),
		swap:     sql(`UPDATE {table} SET {status} = ?, {version} = {version} + 1, {due} = ?, {progress} = ? WHERE {id} = {an id} AND {status = ?} AND {version} = ?{and where}`),
		due:      sql(`SELECT {columns} FROM {table} WHERE {due} <= ?` + finite + `{and where} ORDER BY {due}, {id} LIMIT ?`),
		dueAfter: sql(`SELECT {columns} FROM {table} WHERE {due} <= ? AND ` + after + `{and where} ORDER BY {due}, {id} LIMIT ?`),
		expire:   sql(expire),
		check:    sql(`SELECT {columns} FROM {table} WHERE 1 = 0 AND {id} = {an id} AND {status} IN (?, ?, ?, ?){and where}`),
		current:  sql(`SELECT {columns} FROM {table} WHERE subject = ? ORDER BY CASE WHEN status = 'pending' THEN 0 ELSE 1 END, seq DESC LIMIT 1`),
		pending:  sql(`SELECT {columns} FROM {table} WHERE ` + pending),
		latest:   sql(`SELECT {columns} FROM {table} WHERE subject = ? ORDER BY seq DESC LIMIT 1`),
		insert:   sql(`INSERT INTO {table} (id, subject, previous, status, version, due, progress, created_at) VALUES (?, ?, ?, 'pending', 1, ?, ?, ?) ` + keep),
		end:      sql(`UPDATE {table} SET status = 'abandoned', version = version + 1, due = NULL WHERE id = ? AND status = 'pending' AND version = ?`),
		subject:  sql(`SELECT subject FROM {table} WHERE id = ?`),
	}
}

// badRowError is a row that can't be read: what a person has to look at.
type badRowError struct {
	table, id, column string
	err               error
}

func (e *badRowError) Error() string {
	return fmt.Sprintf("store: %s: row %q: column %s: %v", e.table, e.id, e.column, e.err)
}

func (e *badRowError) Unwrap() error { return e.err }

// scan reads a row. Its error is a *badRowError if the row was found; the row then
// has its ID and, if readable, its Due.
func (s *Store) scan(row interface{ Scan(...any) error }) (setupintent.Row, error) {
	var (
		r        setupintent.Row
		status   sql.NullString
		version  sql.NullInt64
		due      any
		progress sql.NullString
	)
	if err := row.Scan(&r.ID, &status, &version, &due, &progress); err != nil {
		return r, err
	}
	bad := func(column string, err error) (setupintent.Row, error) {
		return setupintent.Row{ID: r.ID, Due: r.Due}, &badRowError{s.table.Name, r.ID, column, err}
	}
	var err error
	switch r.Due, err = s.dialect.readTime(due); {
	case err != nil:
		return bad(s.table.Due, err)
	case !status.Valid:
		return bad(s.table.Status, errNull)
	case !version.Valid:
		return bad(s.table.Version, errNull)
	}
	if err := r.Progress.UnmarshalText([]byte(progress.String)); err != nil {
		return bad(s.table.Progress, err)
	}
	r.Status, r.Version = s.table.status(status.String), version.Int64
	return r, nil
}

var (
	errNull    = errors.New("it is NULL")
	errZeroDue = errors.New("it is the zero time; never is NULL")
)
