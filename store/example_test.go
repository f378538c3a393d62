package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
)

// The rows in their own table, the application's in the same database. The
// example of internal/integration/conformance is the same with a driver, and
// runs.
func Example() { //nolint:testableexamples // it needs a database
	var db *sql.DB // sql.Open("pgx", os.Getenv("DATABASE_URL")), or what the application has
	var provider setupintent.Provider
	ctx := context.Background()

	rows, err := store.New(db, store.PostgreSQL, &store.Options{TTL: 24 * time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	if err := rows.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	svc, err := setupintent.New(rows, provider, nil)
	if err != nil {
		log.Fatal(err)
	}

	row, err := signUp(ctx, db, rows, "a@example.com")
	if err != nil {
		log.Fatal(err)
	}
	in, err := svc.Begin(ctx, row.ID, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(in.ID)
}

// signUp inserts a user and opens the row in one transaction, which ends before
// the service is called.
func signUp(ctx context.Context, db *sql.DB, rows *store.Store, email string) (setupintent.Row, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return setupintent.Row{}, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, `INSERT INTO users (email) VALUES ($1)`, email); err != nil {
		return setupintent.Row{}, err
	}
	row, err := rows.Open(ctx, tx, email)
	if err != nil {
		return setupintent.Row{}, err
	}
	return row, tx.Commit()
}

// The account is opened in the transaction that turns its row active: exactly
// once, or not at all.
func ExampleOptions_onActive() { //nolint:testableexamples // it needs a database
	var db *sql.DB
	var rows *store.Store
	rows, err := store.New(db, store.PostgreSQL, &store.Options{
		OnActive: func(ctx context.Context, tx *sql.Tx, r setupintent.Row) error {
			user, err := rows.Subject(ctx, tx, r.ID)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE users SET active = true, payment_method = $1 WHERE id = $2`, r.Progress.PaymentMethodID(), user)
			return err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A table that the application has: what it needs in addition is printed, for
// the team's own migrations.
func ExampleStore_SQL() {
	db := sql.OpenDB(nowhere{})
	rows, err := store.New(db, store.PostgreSQL, &store.Options{Table: &store.Table{
		Name:   "users",
		IDType: store.BigInt,
		Status: "signup_status",
		Words:  map[setupintent.Status]string{setupintent.Pending: "awaiting_card", setupintent.Abandoned: "expired"},
		Where:  "deleted_at IS NULL",
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(rows.SQL())
	// Output:
	// ALTER TABLE "users"
	//     ADD COLUMN "cardonfile_version" bigint NOT NULL DEFAULT 0,
	//     ADD COLUMN "cardonfile_due" timestamptz,
	//     ADD COLUMN "cardonfile_progress" text,
	//     ADD CHECK (isfinite("cardonfile_due")) NOT VALID;
	// CREATE INDEX CONCURRENTLY "users_cardonfile_due" ON "users" ("cardonfile_due", "id") WHERE "cardonfile_due" IS NOT NULL;
}

// The schema for a team that runs its own migrations: goose and golang-migrate
// read the files as they are.
func ExampleDialect_Migrations() {
	files, err := fs.Glob(store.MySQL.Migrations(), "*.sql")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(files)
	// Output:
	// [000001_cardonfile_rows.up.sql]
}
