package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dialect is the SQL that a database speaks.
type Dialect int

// The dialects. The driver is the application's choice.
const (
	PostgreSQL Dialect = iota + 1
	MySQL              // and MariaDB
	SQLite
)

// String returns the name of the directory that has the dialect's migrations:
// postgresql, mysql or sqlite.
func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "postgresql"
	case MySQL:
		return "mysql"
	case SQLite:
		return "sqlite"
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// quote returns a validated name, which may be qualified, as an identifier.
// SQLite takes a name in double quotes that it does not know for a string, and
// one in MySQL's quotes for what it is.
func (d Dialect) quote(name string) string {
	mark := "`"
	if d == PostgreSQL {
		mark = `"`
	}
	return mark + strings.ReplaceAll(name, ".", mark+"."+mark) + mark
}

// bind numbers the placeholders of a statement that is written with question
// marks.
func (d Dialect) bind(query string) string {
	if d != PostgreSQL {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// selectTime returns the expression that reads a time column. Whether a driver
// of MySQL parses times, and in which zone, is a setting of the application's.
func (d Dialect) selectTime(column string) string {
	if d == MySQL {
		return "CAST(" + column + " AS CHAR)"
	}
	return column
}

// id returns the placeholder of an id. PostgreSQL takes it to be of the column's
// type, and refuses a number that a smaller integer can't hold.
func (d Dialect) id(t IDType) string {
	if d == PostgreSQL && t == BigInt {
		return "CAST(? AS bigint)"
	}
	return "?"
}

// isWord returns the condition that a status column has exactly the word of the
// next argument: a collation may think so of words that differ in case, in
// accents, or by a space at the end.
func (d Dialect) isWord(column string) string {
	switch d { // numbers and enums are compared as text, too
	case PostgreSQL:
		return "CAST(" + column + ` AS text) COLLATE "C" = ?`
	case MySQL:
		return "CAST(CONVERT(" + column + " USING utf8mb4) AS BINARY) = CAST(CONVERT(? USING utf8mb4) AS BINARY)"
	}
	return column + " COLLATE BINARY = ?"
}

const mysqlTime = "2006-01-02 15:04:05.000000"

// time returns t as a statement's argument: in UTC, to the microsecond, NULL if
// zero. SQLite has no type for it, and each of its drivers another text: there
// it is an integer, the microseconds since 1970.
func (d Dialect) time(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	switch t = t.UTC().Truncate(time.Microsecond); d {
	case MySQL:
		return t.Format(mysqlTime)
	case SQLite:
		return t.UnixMicro()
	}
	return t
}

// readTime is the way back.
func (d Dialect) readTime(v any) (time.Time, error) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		if d == PostgreSQL {
			return v.UTC(), nil
		}
	case int64:
		if d == SQLite {
			return time.UnixMicro(v).UTC(), nil
		}
	case []byte:
		if d == MySQL {
			return time.ParseInLocation(mysqlTime[:19], string(v), time.UTC)
		}
	case string:
		if d == MySQL {
			return time.ParseInLocation(mysqlTime[:19], v, time.UTC)
		}
	}
	if d == SQLite {
		return time.Time{}, fmt.Errorf("it must be an integer, the microseconds since 1970, not %T", v)
	}
	return time.Time{}, fmt.Errorf("it must be a time, not %T", v)
}

// refused reports whether the error of a COMMIT says that nothing was written,
// because of what had been done in the transaction: a deferred constraint does not
// hold, a statement had failed, or the transaction was ended before. Of any other
// error, what became of the transaction is unknown.
func (d Dialect) refused(err error) bool {
	var state interface{ SQLState() string }
	text := err.Error()
	switch {
	case errors.Is(err, sql.ErrTxDone):
		return true
	case errors.As(err, &state): // of a constraint, or raised by a trigger
		return strings.HasPrefix(state.SQLState(), "23") || strings.HasPrefix(state.SQLState(), "P0")
	case d == PostgreSQL: // pgx and lib/pq have this of their own
		return strings.Contains(text, "commit unexpectedly resulted in rollback") || strings.Contains(text, "in a failed transaction")
	case d == SQLite:
		return strings.Contains(text, "constraint failed")
	}
	return false
}

// rolledBack reports whether the database says that it has undone the
// transaction because of others, so that nothing was written and it may be run
// again: a deadlock, a serialization failure, or a record that has changed since
// the snapshot.
func (d Dialect) rolledBack(err error) bool {
	var state interface{ SQLState() string } // pgx and lib/pq have it
	switch {
	case err == nil:
		return false
	case errors.As(err, &state):
		return state.SQLState() == "40001" || state.SQLState() == "40P01"
	case d == MySQL:
		text := err.Error() // go-sql-driver has fields, which can't be asked for without importing it
		return strings.Contains(text, "Error 1213") || strings.Contains(text, "Error 1020")
	}
	return false
}
