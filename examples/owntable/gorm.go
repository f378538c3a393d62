package owntable

import (
	"context"
	"database/sql"
	"strconv"

	"gorm.io/gorm"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/store"
)

// Account is a user of the application's. It says nothing about cards.
type Account struct {
	ID     uint64
	Email  string `gorm:"uniqueIndex"`
	Active bool
}

// Accounts are the application's users in GORM, and their rows in
// cardonfile_rows of the same database.
type Accounts struct {
	DB   *gorm.DB
	Rows *store.Store
}

// NewAccounts returns the accounts of a database, with its tables made.
func NewAccounts(ctx context.Context, db *gorm.DB, dialect store.Dialect) (*Accounts, error) {
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	a := &Accounts{DB: db}
	if a.Rows, err = store.New(pool, dialect, &store.Options{OnActive: a.activate}); err != nil {
		return nil, err
	}
	if err := db.WithContext(ctx).AutoMigrate(&Account{}); err != nil {
		return nil, err
	}
	return a, a.Rows.Migrate(ctx)
}

// SignUp inserts an account and opens its row, both or neither. The service may
// be called when it has returned.
func (a *Accounts) SignUp(ctx context.Context, email string) (Account, setupintent.Row, error) {
	account := Account{Email: email}
	var row setupintent.Row
	err := a.DB.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		if err := tx.Create(&account).Error; err != nil {
			return err
		}
		row, err = a.Rows.Open(ctx, tx.Statement.ConnPool, strconv.FormatUint(account.ID, 10))
		return err
	})
	return account, row, err
}

// activate runs in the transaction that turns the row active.
func (a *Accounts) activate(ctx context.Context, tx *sql.Tx, r setupintent.Row) error {
	id, err := a.Rows.Subject(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	// GORM on the same transaction.
	session := a.DB.Session(&gorm.Session{Context: ctx, NewDB: true, SkipDefaultTransaction: true})
	session.Statement.ConnPool = tx
	return session.Model(&Account{}).Where("id = ?", id).Update("active", true).Error
}
