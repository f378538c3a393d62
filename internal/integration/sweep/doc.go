// Package sweep proves, with two processes on one PostgreSQL table, that sweepers
// share their work and their budget, and are in nobody's way. Its test is "make
// sweep".
package sweep
