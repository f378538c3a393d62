// Package owntable is how applications that have a database keep their rows:
//
//   - gorm.go: in cardonfile_rows, opened in the transaction of a GORM signup;
//   - adopted.go: in the users table, by configuration, on a pgx pool;
//   - handwritten.go: in the users table, by a store of one's own, over the
//     queries that sqlc has made in package usersdb.
//
// Why the first is the first: docs/stores.md.
package owntable
