module github.com/cardonfile/cardonfile

go 1.23.0

require (
	github.com/stretchr/testify v1.9.0
	github.com/stripe/stripe-go/v79 v79.12.0
	go.uber.org/mock v0.6.0
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
