// Command process is one of the two that the sweep test runs: an application
// that hands out intents, and sweeps when it is told to.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver pgx

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
	"github.com/cardonfile/cardonfile/stripeport"
	"github.com/cardonfile/cardonfile/stripeport/stripetest"
)

func main() {
	dsn := flag.String("dsn", "", "`address` of the database")
	stripe := flag.String("stripe", "", "`URL` of the provider")
	rate := flag.Float64("rate", 5, "background calls per second")
	flag.Parse()
	if err := run(*dsn, *stripe, *rate); err != nil {
		fmt.Fprintln(os.Stderr, "process:", err)
		os.Exit(1) //nolint:forbidigo // a program
	}
}

func run(dsn, stripe string, rate float64) error {
	handler, err := application(dsn, stripe, rate)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, "http://"+l.Addr().String()); err != nil {
		return err
	}
	return (&http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}).Serve(l)
}

func application(dsn, stripe string, rate float64) (http.Handler, error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	rows, err := store.New(db, store.PostgreSQL, nil)
	if err != nil {
		return nil, err
	}
	provider, err := stripeport.New(stripetest.DefaultSecretKey, &stripeport.Options{BaseURL: stripe})
	if err != nil {
		return nil, err
	}
	svc, err := setupintent.New(rows, provider, &setupintent.Options{
		Rate:    rate,
		Recheck: []time.Duration{}, // what people begin meanwhile is not due
	})
	if err != nil {
		return nil, err
	}
	if err := svc.Check(context.Background(), rows.Check, provider.CheckMode(false)); err != nil {
		return nil, err
	}
	h, err := httpadapter.New(svc, nil)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/signup/", h.Routes(httpadapter.PathID))
	mux.HandleFunc("POST /sweep", func(w http.ResponseWriter, r *http.Request) {
		sweep(w, r, svc, rows)
	})
	return mux, nil
}

// sweep sweeps for as long as the query says, and answers with the report.
func sweep(w http.ResponseWriter, r *http.Request, svc *setupintent.Service, rows *store.Store) {
	length, err := time.ParseDuration(r.FormValue("for"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), length)
	defer cancel()
	report, err := svc.Sweep(ctx, rows, &setupintent.SweepOptions{DryRun: r.FormValue("dry") != "", Expire: rows.Expire})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(report) // whoever has gone does not need it
}
