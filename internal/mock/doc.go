// Package mock holds mocks of the core's two ports, for the tests where the
// call itself is the contract: never create for a row that is not pending,
// create before record, cancel before abandon. Everything else is tested on
// memstore and on the providers of setupintenttest and stripetest.
package mock

//go:generate go run go.uber.org/mock/mockgen@v0.6.0 -typed -write_package_comment=false -package mock -destination mock.go github.com/cardonfile/cardonfile/setupintent PendingStore,Provider
