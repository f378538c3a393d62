package store

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cardonfile/cardonfile/setupintent"
)

// Table is a table of the application's own that holds the rows, together with
// whatever else the application keeps there. It needs a status column that the
// application has, and three columns that [Store.SQL] adds.
//
// Every writer of the table must be known: whoever writes the status adds 1 to
// the version in the same statement, and nobody writes the three columns or,
// having read it a while ago, the whole row.
//
// Names are those of the database, unquoted: letters, digits and underscores.
type Table struct {
	Name     string // may be qualified with a schema
	ID       string // the primary key; empty: id
	IDType   IDType // zero: Text
	Status   string // empty: status
	Version  string // integer, not NULL; empty: cardonfile_version
	Due      string // as Store says of times, NULL allowed; empty: cardonfile_due
	Progress string // text, NULL allowed; empty: cardonfile_progress

	// Words maps the four statuses to the words of the application, or to the
	// decimal numbers of a column that holds numbers. They must differ. A
	// status that is not in the map is its own word.
	//
	// Every other word in the column reads as itself; one that is spelt like a
	// status of another word reads with an apostrophe before it, so that it is
	// not taken for that status.
	Words map[setupintent.Status]string

	// Where is a condition that a row must meet to be seen, in SQL, such as
	// "deleted_at IS NULL". It becomes part of every statement as it is: it must
	// be a constant of the program. Empty: every row.
	Where string
}

// IDType is the type of an id column. An id that the column can't hold is one
// that no row has.
type IDType int

// The types of id columns. Nobody needs to convert: a Row's ID is the id as the
// database prints it.
const (
	Text   IDType = iota // valid UTF-8 without NUL, compared byte by byte
	BigInt               // and smaller integers; in decimal
	UUID                 // PostgreSQL's and MariaDB's type; elsewhere text, in lower case
)

// ownTable is cardonfile_rows.
var ownTable = Table{
	Name:     "cardonfile_rows",
	ID:       "id",
	Status:   "status",
	Version:  "version",
	Due:      "due",
	Progress: "progress",
}

// complete returns t with every name set and the words of all four statuses, or
// an error that says what can't be used.
func (t Table) complete() (Table, error) {
	setDefault(&t.ID, "id")
	setDefault(&t.Status, "status")
	setDefault(&t.Version, "cardonfile_version")
	setDefault(&t.Due, "cardonfile_due")
	setDefault(&t.Progress, "cardonfile_progress")
	for i, part := range strings.SplitN(t.Name, ".", 3) {
		if i == 2 || !isName(part) {
			return t, fmt.Errorf("store: %q is no name of a table: letters, digits and underscores, with at most one schema and a dot before it", t.Name)
		}
	}
	seen := map[string]bool{}
	for _, column := range []string{t.ID, t.Status, t.Version, t.Due, t.Progress} {
		if !isName(column) {
			return t, fmt.Errorf("store: %q is no name of a column: letters, digits and underscores", column)
		}
		if seen[strings.ToLower(column)] {
			return t, fmt.Errorf("store: the column %q is named twice", column)
		}
		seen[strings.ToLower(column)] = true
	}
	if t.IDType < Text || t.IDType > UUID {
		return t, fmt.Errorf("store: unknown IDType %d", t.IDType)
	}
	if err := checkWhere(t.Where); err != nil {
		return t, err
	}
	words := map[setupintent.Status]string{}
	for _, status := range statuses {
		words[status] = string(status)
	}
	for status, word := range t.Words {
		if _, ours := words[status]; !ours {
			return t, fmt.Errorf("store: Words has the status %q, which is none of the four", status)
		}
		words[status] = word
	}
	theirs := map[string]setupintent.Status{}
	for _, status := range statuses {
		word := words[status]
		if other, taken := theirs[word]; taken {
			return t, fmt.Errorf("store: Words has %q for both %s and %s", word, other, status)
		}
		if word == "" {
			return t, fmt.Errorf("store: Words has no word for %s", status)
		}
		theirs[word] = status
	}
	t.Words = maps.Clone(words)
	return t, nil
}

var statuses = []setupintent.Status{setupintent.Pending, setupintent.Active, setupintent.Abandoned, setupintent.Cancelled}

func setDefault(v *string, def string) {
	if *v == "" {
		*v = def
	}
}

var isName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`).MatchString

// checkWhere refuses what would change the statements around a condition; the
// rest is the team's own SQL.
func checkWhere(where string) error {
	for _, s := range []string{";", "?", "$", "--", "/*", "#", "\x00", `\'`, `\"`} { // what a backslash does is the server's setting
		if strings.Contains(where, s) {
			return fmt.Errorf("store: Where must be one condition without parameters and comments, and without the like in a literal; it has %q", s)
		}
	}
	depth, quote := 0, rune(0)
	for _, c := range where {
		switch {
		case c == quote:
			quote = 0
		case quote != 0:
		case c == '\'', c == '"', c == '`':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 || quote != 0 || where != "" && strings.TrimSpace(where) == "" {
		return errors.New("store: Where is no complete condition")
	}
	return nil
}

// and returns the condition to be added to a statement's own.
func (t Table) and() string {
	if t.Where == "" {
		return ""
	}
	return " AND (" + t.Where + ")"
}

// word returns what is in the status column for s.
func (t Table) word(s setupintent.Status) string {
	if word, ours := t.Words[s]; ours {
		return word
	}
	return strings.TrimPrefix(string(s), "'")
}

// status is the way back.
func (t Table) status(word string) setupintent.Status {
	for s, w := range t.Words {
		if w == word {
			return s
		}
	}
	if _, ours := t.Words[setupintent.Status(word)]; ours || strings.HasPrefix(word, "'") {
		return setupintent.Status("'" + word)
	}
	return setupintent.Status(word)
}

var isUUID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`).MatchString

// id returns the id as a statement's argument; false if the column can't hold
// it.
func (t Table) id(id string) (any, bool) {
	switch t.IDType {
	case BigInt:
		n, err := strconv.ParseInt(id, 10, 64)
		return n, err == nil && strconv.FormatInt(n, 10) == id
	case UUID:
		return strings.ToLower(id), isUUID(id)
	}
	return id, isText(id)
}

// same reports whether the id that a row was found by is the row's: a collation
// may think so of ids that differ in case, or by a space at the end.
func (t Table) same(asked, found string) bool {
	return t.IDType == UUID && strings.EqualFold(asked, found) || asked == found
}

func isText(s string) bool { return s != "" && utf8.ValidString(s) && !strings.Contains(s, "\x00") }
