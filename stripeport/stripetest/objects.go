package stripetest

import "encoding/json"

// ref is an attribute that names another object: null, its id, or with
// expand the object itself.
type ref struct {
	id     string
	object any
}

// MarshalJSON shows as much as is known.
func (r ref) MarshalJSON() ([]byte, error) {
	switch {
	case r.id == "":
		return []byte("null"), nil
	case r.object != nil:
		return json.Marshal(r.object)
	}
	return json.Marshal(r.id)
}

// UnmarshalJSON reads an id back from the state file.
func (r *ref) UnmarshalJSON(b []byte) error {
	var id *string
	if err := json.Unmarshal(b, &id); err != nil || id == nil {
		return err
	}
	r.id = *id
	return nil
}

// deleted is what is left of an object.
type deleted struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

// optional returns the text at path, nil if it is missing or empty.
func (v *value) optional(path ...string) *string {
	if s := v.str(path...); s != "" {
		return &s
	}
	return nil
}

// setText sets *field if path was given; an empty text unsets it.
func (v *value) setText(field **string, path ...string) {
	if v.has(path...) {
		*field = v.optional(path...)
	}
}

// save puts obj into its table, and into the state file if there is one.
func (s *Server) save(obj row) {
	s.state.put(obj)
	s.journal.object(obj)
}

func (st *state) put(obj row) {
	switch obj := obj.(type) {
	case *setupIntent:
		st.intents.put(obj)
	case *setupAttempt:
		st.attempts.put(obj)
	case *customer:
		st.customers.put(obj)
	case *paymentMethod:
		st.methods.put(obj)
	case *mandate:
		st.mandates.put(obj)
	case *ephemeralKey:
		st.keys.put(obj)
	case *event:
		st.events.put(obj)
	case *webhookEndpoint:
		st.endpoints.put(obj)
	}
}
