package setupintent

import "time"

// Successor returns the Progress that a subject's next row begins with, given
// that of its newest one: the customer of p, and nothing else. It is the zero
// Progress if p has no customer, or if a newer release wrote p. The deadline is
// the new row's; zero means none. A store that copies the customer from row to
// row calls it, and writes the row with version 1.
func (p Progress) Successor(deadline time.Time) Progress {
	q := p.read()
	if q.Customer == nil {
		return Progress{}
	}
	customer := *q.Customer
	return Progress{p: &progress{
		Format:    formatVersion,
		Namespace: q.Namespace,
		Live:      q.Live,
		Phase:     None,
		Customer:  &customer,
		Deadline:  deadline.UTC().Round(0).Truncate(time.Microsecond),
		Written:   1,
	}}
}
