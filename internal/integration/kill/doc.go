// Package kill proves, with real processes and real databases, that a row and
// its intent find each other again, whenever the application is killed. Its test
// is "make kill".
package kill
