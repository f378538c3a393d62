package httpadapter

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Endpoints lists the methods and the tails of all routes of the dialect.
func Endpoints(d Dialect) (endpoints [][2]string) {
	for _, rt := range withDocument(orDefault(d).routes()) {
		endpoints = append(endpoints, [2]string{rt.method, rt.tail})
	}
	return endpoints
}

func orDefault(d Dialect) Dialect {
	if d == nil {
		return problemJSON{}
	}
	return d
}

// reaches reports whether an outcome can be one of the dialect's requests.
func reaches(d Dialect, o outcome) bool {
	switch o {
	case badParam:
		return isA[Stripe](d) || isA[Spree](d)
	case frozen:
		return isA[Stripe](d)
	case badKey:
		return isA[Stripe](d) || isA[OrbitKit](d)
	}
	return true
}

func isA[T Dialect](d Dialect) bool {
	_, ok := d.(T)
	return ok
}

// Wording is how a dialect words an outcome: the answer that a client gets.
type Wording struct {
	Code, Answer string
}

// Wordings returns how the dialect words every outcome that its requests can
// have, by the catalogue's code.
func Wordings(d Dialect) (all []Wording) {
	example := failure{id: "abc", retryAfter: time.Minute}
	for o := range outcome(len(catalogue)) {
		f := example
		f.outcome = o
		switch o {
		case badBody:
			f.fault = missingID
			if !isA[LoyaltyDog](d) && d != nil {
				f.fault = brokenBody
			}
		case badParam:
			f.param, f.fault = "confirm", unknown
			if isA[Spree](d) {
				f.param, f.fault = "Stripe-Version", badVersion
			}
		}
		if reaches(orDefault(d), o) {
			rep := orDefault(d).failure(f)
			all = append(all, Wording{o.code(), fmt.Sprint(rep.status, " `", strings.TrimSpace(string(rep.body)), "`")})
		}
	}
	return all
}

// Codes returns the catalogue: every code, with the status and the text of our
// own wire.
func Codes() map[string]string {
	codes := map[string]string{}
	for o := range outcome(len(catalogue)) {
		codes[o.code()] = fmt.Sprintf("%d. %s", o.status(), o.text())
	}
	return codes
}

// Failures words every outcome as the dialect does, and passes on what writes it.
func Failures(d Dialect, each func(write func(http.ResponseWriter))) {
	faults := map[outcome][]fault{
		badBody: {brokenBody, missingBody, notJSON, notObject, missingID, idNotString, idEmpty, idTooLong},
	}
	if _, ok := d.(Stripe); ok {
		faults[badBody] = append(faults[badBody], notForm, tooMany)
		faults[badParam] = []fault{unknown, wrongKind, notBoolean, missingParam, exclusive, badRedirects, badKeyName, badValue, tooManyKeys, refusedParams}
	}
	for o := range outcome(len(catalogue)) {
		if !reaches(orDefault(d), o) {
			continue
		}
		for _, what := range append(faults[o], "") {
			if o == badBody && what == "" {
				continue
			}
			for _, docsURL := range []string{"", "https://app.test/errors"} {
				f := failure{outcome: o, fault: what, param: "x", id: "x", docsURL: docsURL, retryAfter: time.Second}
				rep := orDefault(d).failure(f)
				rep.retryAfter = f.retryAfter
				if o == badMethod {
					rep.allow = http.MethodPost
				}
				each(rep.write)
			}
		}
	}
}
