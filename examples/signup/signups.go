package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cardonfile/cardonfile/store"
)

// signups are who is signing up: the subject of a row is the e-mail.
type signups struct {
	*store.Store
	db         *sql.DB
	dialect    store.Dialect
	ttl        time.Duration
	countCards string // saved ones of a subject
}

func openSignups(ctx context.Context, d database, ttl time.Duration) (*signups, error) {
	db, err := d.open()
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	s, err := store.New(db, d.dialect, &store.Options{TTL: ttl})
	if err == nil {
		err = s.Migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-db %s: %w", d.name, err), db.Close())
	}
	count := "SELECT COUNT(*) FROM cardonfile_rows WHERE status = 'active' AND subject = ?"
	if d.dialect == store.PostgreSQL {
		count = strings.Replace(count, "?", "$1", 1)
	}
	return &signups{Store: s, db: db, dialect: d.dialect, ttl: ttl, countCards: count}, nil
}

func (s *signups) close() error { return s.db.Close() }

var errTaken = errors.New("the e-mail has an account already")

// begin returns the e-mail's row, and whether it is a new one. A row that has
// ended without an account stays ended: the next signup is another row. It is
// errTaken if the e-mail has an account, one of whose rows may be pending again:
// a card is being replaced, which is not for whoever knows the e-mail.
func (s *signups) begin(ctx context.Context, email string) (id string, isNew bool, err error) {
	var cards int
	if err := s.db.QueryRowContext(ctx, s.countCards, email).Scan(&cards); err != nil {
		return "", false, err
	}
	if cards > 0 {
		return "", false, errTaken
	}
	// Of all the requests for one e-mail, to however many processes, the row is new
	// to the one that drew its id.
	var drawn string
	rows, err := store.New(s.db, s.dialect, &store.Options{TTL: s.ttl, NewID: func() string {
		var b [12]byte
		_, _ = rand.Read(b[:]) // never fails: crypto/rand
		drawn = hex.EncodeToString(b[:])
		return drawn
	}})
	if err != nil {
		return "", false, err
	}
	row, err := rows.Open(ctx, s.db, email)
	return row.ID, row.ID == drawn, err
}

// email returns whose row it is.
func (s *signups) email(ctx context.Context, id string) (string, error) {
	return s.Subject(ctx, s.db, id)
}
