package stripetest

// DecodeForm decodes a form for the fuzz target: what came of it, and the form
// that would come out the same.
func DecodeForm(text string) (decoded any, fingerprint [32]byte, err error) {
	v := &value{kind: kindHash}
	if err := v.decodeForm(text); err != nil {
		return nil, fingerprint, err
	}
	return v.plain(), v.fingerprint(), nil
}

// Parameters lists every parameter of every route, with those in hashes.
func Parameters() (map[string][]string, error) {
	s, err := New(nil)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]string)
	for name, r := range s.routes {
		all[name] = r.params.names("")
	}
	return all, nil
}

func (fields params) names(prefix string) []string {
	var names []string
	for key, p := range fields {
		path := nested(prefix, key)
		names = append(names, path)
		names = append(names, p.fields.names(path)...)
		if p.element != nil {
			names = append(names, p.element.fields.names(path+"[]")...)
		}
	}
	return names
}

// Deck lists the test cards: their numbers, and the ids that stand for them.
func Deck() map[string][]string {
	all := make(map[string][]string)
	for _, card := range testCards() {
		all[card.number] = append(all[card.number], card.ids...)
	}
	return all
}
