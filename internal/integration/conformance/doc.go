// Package conformance runs the suites of setupintenttest, and more, on package
// store over real databases: SQLite everywhere, PostgreSQL by two drivers and
// MariaDB where they answer. "make conformance" starts them, and says what ran.
package conformance
