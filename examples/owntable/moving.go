package owntable

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"
	stripeintent "github.com/stripe/stripe-go/v79/setupintent"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Old is a pending user of the time before the library, and the intent that the
// application has made for it.
type Old struct{ UserID, IntentID string }

// ImportOld makes old intents the library's. A card that was saved meanwhile turns
// its user active at once. It returns those that the library does not take: the
// intent is canceled, or Stripe does not know it, or the user is not pending any
// more, or has had MaxAttempts intents. Cancel what is still open of them. It may be run again.
func ImportOld(ctx context.Context, intents stripeintent.Client, svc *setupintent.Service, old []Old) (left []Old, err error) {
	for _, o := range old {
		// An intent must name its row, or the library does not touch it.
		params := &stripe.SetupIntentParams{Params: stripe.Params{Context: ctx}}
		params.AddMetadata("pending_user_id", o.UserID)
		var refused *stripe.Error
		switch _, err := intents.Update(o.IntentID, params); {
		case errors.As(err, &refused) && refused.Type == stripe.ErrorTypeInvalidRequest:
			left = append(left, o)
			continue
		case err != nil:
			return left, fmt.Errorf("the intent of user %s: %w", o.UserID, err)
		}
		switch _, err := svc.Import(ctx, o.UserID, o.IntentID); {
		case errors.Is(err, setupintent.ErrMismatch), errors.Is(err, setupintent.ErrNotPending), errors.Is(err, setupintent.ErrNotFound), errors.Is(err, setupintent.ErrExhausted):
			left = append(left, o)
		case err != nil:
			return left, err
		}
	}
	return left, nil
}

const setDeadlines = `UPDATE users SET cardonfile_due = $1, cardonfile_version = cardonfile_version + 1
	WHERE id = ANY (ARRAY(SELECT id FROM users
		WHERE status = 'awaiting_card' AND cardonfile_due IS NULL AND cardonfile_progress IS NULL AND deleted_at IS NULL
		ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))`

// SetDeadlines gives the pending users of the time before the library a
// deadline, batch by batch. It comes after ImportOld: a user who has no progress
// is taken for one who has no intent.
func SetDeadlines(ctx context.Context, db *sql.DB, deadline time.Time, batch int) (total int64, err error) {
	for {
		result, err := db.ExecContext(ctx, setDeadlines, deadline, batch)
		if err != nil {
			return total, err
		}
		n, err := result.RowsAffected()
		total += n
		if err != nil || n < int64(batch) {
			return total, err
		}
	}
}

const pendingUsers = `SELECT id FROM users
	WHERE status = 'awaiting_card' AND cardonfile_progress IS NOT NULL AND id > $1 AND deleted_at IS NULL ORDER BY id LIMIT 100`

// Leave ends what is pending, once nothing begins any more: afterwards the three
// columns can be dropped. It returns the users whose intent can't be canceled
// yet, because a bank is at it, or Stripe does not answer: run it again later.
func Leave(ctx context.Context, db *sql.DB, svc *setupintent.Service) (left []int64, err error) {
	for last := int64(0); ; {
		page, err := ids(ctx, db, last)
		if err != nil || len(page) == 0 {
			return left, err
		}
		for _, last = range page {
			// Active, if the card was saved first.
			if row, err := svc.Cancel(ctx, fmt.Sprint(last)); err != nil || row.Status == setupintent.Pending {
				left = append(left, last)
			}
		}
	}
}

func ids(ctx context.Context, db *sql.DB, after int64) (ids []int64, err error) {
	rows, err := db.QueryContext(ctx, pendingUsers, after)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
