package conformance_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/store"
)

// Package store has no driver: its example runs here.
func Example() {
	if err := signUp(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// active pm_1
	// another row: pending
}

func signUp(ctx context.Context) error {
	db, err := sql.Open("sqlite", "file:example?mode=memory&cache=shared")
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is kept
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TABLE users (email TEXT PRIMARY KEY, card TEXT)`); err != nil {
		return err
	}

	var rows *store.Store
	rows, err = store.New(db, store.SQLite, &store.Options{
		TTL: 24 * time.Hour,
		OnActive: func(ctx context.Context, tx *sql.Tx, r setupintent.Row) error {
			email, err := rows.Subject(ctx, tx, r.ID)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE users SET card = ? WHERE email = ?`, r.Progress.PaymentMethodID(), email)
			return err
		},
	})
	if err != nil {
		return err
	}
	if err := rows.Migrate(ctx); err != nil {
		return err
	}
	stripe := new(setupintenttest.Provider)
	svc, err := setupintent.New(rows, stripe, nil)
	if err != nil {
		return err
	}

	// The signup inserts its user and opens the row, or neither.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, `INSERT INTO users (email) VALUES ('a@example.com')`); err != nil {
		return err
	}
	row, err := rows.Open(ctx, tx, "a@example.com")
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}

	// The page asks for the row's intent, saves a card, and says so.
	in, err := svc.Begin(ctx, row.ID, nil)
	if err != nil {
		return err
	}
	if err := stripe.Confirm(in.ID, "pm_1"); err != nil {
		return err
	}
	row, err = svc.Activate(ctx, row.ID, in.ID)
	if err != nil {
		return err
	}
	var card string
	if err := db.QueryRowContext(ctx, `SELECT card FROM users`).Scan(&card); err != nil {
		return err
	}
	fmt.Println(row.Status, card)

	// The user's next card is another row.
	row, err = rows.Open(ctx, db, "a@example.com")
	if err != nil {
		return err
	}
	fmt.Println("another row:", row.Status)
	return nil
}
