// Package documents holds docs/parameters.md against what the documents of
// Stripe and WooshPay have for a SetupIntent, which testdata/documents.tsv lists:
// every parameter and every attribute has its row, and every row a test that
// sends it, or reads it, against the fake.
package documents
