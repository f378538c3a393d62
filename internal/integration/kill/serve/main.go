// Command serve is what the kill test kills: an application that hands out
// intents and activates rows, on a real database and a provider in another
// process; and, by -fake, that provider.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // driver mysql
	_ "github.com/jackc/pgx/v5/stdlib" // driver pgx
	_ "modernc.org/sqlite"             // driver sqlite

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func main() {
	driver := flag.String("driver", "", "`driver` of the database: pgx, mysql or sqlite")
	dsn := flag.String("dsn", "", "`address` of the database")
	stripe := flag.String("stripe", "", "`URL` of the provider")
	addr := flag.String("addr", "127.0.0.1:0", "`address` to listen at")
	sweep := flag.Bool("sweep", true, "sweep, too")
	fake := flag.Duration("fake", 0, "be the provider, with this latency, instead")
	flag.Parse()
	if err := run(*driver, *dsn, *stripe, *addr, *sweep, *fake); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1) //nolint:forbidigo // a program
	}
}

func run(driver, dsn, stripe, addr string, sweep bool, latency time.Duration) error {
	go func() { // the process that started this one holds its standard input open
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1) //nolint:forbidigo // a program
	}()
	var handler http.Handler
	var err error
	if latency > 0 {
		handler, err = provider(latency)
	} else {
		handler, err = application(driver, dsn, stripe, sweep)
	}
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, "http://"+l.Addr().String()); err != nil {
		return err
	}
	return (&http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}).Serve(l)
}

func provider(latency time.Duration) (http.Handler, error) {
	fake, err := stripetest.New(nil)
	if err != nil {
		return nil, err
	}
	return fake, fake.SetLatency("POST /v1/setup_intents", latency)
}

var dialects = map[string]store.Dialect{"pgx": store.PostgreSQL, "mysql": store.MySQL, "sqlite": store.SQLite}

func application(driver, dsn, stripe string, sweep bool) (http.Handler, error) {
	if stripe == "" {
		return nil, errors.New("no provider")
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	// The effect, in the transaction: an account for the row, which must never
	// be there twice, nor without the row being active.
	opts := &store.Options{OnActive: func(ctx context.Context, tx *sql.Tx, r setupintent.Row) error {
		insert := `INSERT INTO accounts (row_id) VALUES (?)`
		if dialects[driver] == store.PostgreSQL {
			insert = strings.Replace(insert, "?", "$1", 1)
		}
		_, err := tx.ExecContext(ctx, insert, r.ID)
		return err
	}}
	rows, err := store.New(db, dialects[driver], opts)
	if err != nil {
		return nil, err
	}
	p, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{BaseURL: stripe})
	if err != nil {
		return nil, err
	}
	svc, err := setupintent.New(rows, p, &setupintent.Options{Namespace: "kill", Rate: 1000})
	if err != nil {
		return nil, err
	}
	if sweep {
		// A sweeper that takes over what processes before left 15 s ago, and is
		// killed in the middle, too.
		go svc.Run(context.Background(), rows, 50*time.Millisecond, nil) //nolint:errcheck // it ends with the process
	}
	h, err := httpadapter.New(svc, nil)
	if err != nil {
		return nil, err
	}
	return h.Routes(httpadapter.PathID), nil
}
