package owntable_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/cardonfile/cardonfile/examples/owntable"
	"github.com/cardonfile/cardonfile/setupintent"
)

func TestGORM(t *testing.T) {
	t.Parallel()
	on(t, engines, func(t *testing.T, e engine) {
		ctx := context.Background()
		db := e.gormOn(t, e.open(t))
		accounts, err := owntable.NewAccounts(ctx, db, e.dialect)
		require.NoError(t, err)
		svc, provider := service(t, accounts.Rows, nil)

		account, row, err := accounts.SignUp(ctx, "a@example.com")
		require.NoError(t, err)
		in, err := svc.Begin(ctx, row.ID, nil)
		require.NoError(t, err)
		require.NoError(t, provider.Confirm(in.ID, "pm_1"))
		stale := account

		active, err := svc.Activate(ctx, row.ID, in.ID)
		require.NoError(t, err)
		require.Equal(t, setupintent.Active, active.Status)
		require.NoError(t, db.First(&account, account.ID).Error)
		require.True(t, account.Active, "the effect did not run")

		// A stale save can do no harm to a row that is not in its table.
		require.NoError(t, db.Save(&stale).Error)
		now, err := accounts.Rows.Load(ctx, row.ID)
		require.NoError(t, err)
		require.Equal(t, active, now)
	})
}

// A signup that fails leaves neither an account nor a row, wherever it fails.
func TestGORMRollsBack(t *testing.T) {
	t.Parallel()
	on(t, engines, func(t *testing.T, e engine) {
		ctx := context.Background()
		db := e.gormOn(t, e.open(t))
		accounts, err := owntable.NewAccounts(ctx, db, e.dialect)
		require.NoError(t, err)
		account, _, err := accounts.SignUp(ctx, "a@example.com")
		require.NoError(t, err)
		_, _, err = accounts.SignUp(ctx, "a@example.com")
		require.Error(t, err, "the e-mail is taken")

		var row setupintent.Row
		late := errors.New("too late")
		require.ErrorIs(t, db.Transaction(func(tx *gorm.DB) error {
			row, err = accounts.Rows.Open(ctx, tx.Statement.ConnPool, "another")
			require.NoError(t, err)
			return late
		}), late)
		_, err = accounts.Rows.Load(ctx, row.ID)
		require.ErrorIs(t, err, setupintent.ErrNotFound)

		var n int64
		require.NoError(t, db.Table("cardonfile_rows").Count(&n).Error)
		require.EqualValues(t, 1, n)
		_, err = accounts.Rows.Latest(ctx, db.Statement.ConnPool, strconv.FormatUint(account.ID, 10))
		require.NoError(t, err)
	})
}
