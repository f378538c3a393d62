package httpadapter_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
)

var update = flag.Bool("update", false, "write the tables of docs/errors anew")

const errorPages = "../docs/errors/"

// wireNames are the dialects in the order of docs/wires.md.
var wireNames = []string{"default", "LoyaltyDog", "Spree", "OrbitKit", "Stripe"}

// TestErrorPages: there is a page for every code of the catalogue, and no other;
// each says how every wire words it.
func TestErrorPages(t *testing.T) {
	t.Parallel()
	require.ElementsMatch(t, wireNames, slices.Collect(maps.Keys(dialects)))
	codes := httpadapter.Codes()
	files, err := filepath.Glob(errorPages + "*.md")
	require.NoError(t, err)
	var pages []string
	for _, file := range files {
		if name := filepath.Base(file); name != "README.md" {
			pages = append(pages, strings.TrimSuffix(name, ".md"))
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(codes)), pages, "the pages of docs/errors are those of the catalogue")

	index, err := os.ReadFile(errorPages + "README.md")
	require.NoError(t, err)
	for _, code := range pages {
		file := errorPages + code + ".md"
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		page := string(text)
		require.Regexp(t, `^# `+code+"\n\n"+regexp.QuoteMeta(codes[code])+"\n\n\\*\\*When\\.\\*\\* .+\n\n\\*\\*What to do\\.\\*\\* .+\n\n\\| wire \\| answer \\|\n", page, "%s: title, status and text, when, what to do, the wires", file)
		require.Contains(t, string(index), "### "+code+"\n", "docs/errors/README.md has a heading for each code, to which DocsURL can lead")
		require.Contains(t, string(index), "("+code+".md)")

		prose, table, _ := strings.Cut(page, "| wire | answer |\n")
		want := "| --- | --- |\n" + wordingRows(code)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(prose+"| wire | answer |\n"+want), 0o600))
			continue
		}
		require.Equal(t, want, table, "go test ./httpadapter -run TestErrorPages -update writes %s anew", file)
	}
}

// wordingRows are the rows of a page's table: one for each wire, or more where
// it has more words for the code.
func wordingRows(code string) string {
	var rows strings.Builder
	for _, name := range wireNames {
		var seen []string
		for _, w := range httpadapter.Wordings(dialects[name]) {
			if w.Code == code && !slices.Contains(seen, w.Answer) {
				seen = append(seen, w.Answer)
				fmt.Fprintf(&rows, "| %s | %s |\n", name, w.Answer)
			}
		}
	}
	return rows.String()
}

// TestOrbitKitPages: what docUrl leads to under docs/errors/README.md is there.
func TestOrbitKitPages(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile(errorPages + "README.md")
	require.NoError(t, err)
	for _, w := range httpadapter.Wordings(httpadapter.OrbitKit{}) {
		_, after, _ := strings.Cut(w.Answer, `"code":"`)
		code, _, _ := strings.Cut(after, `"`)
		require.Contains(t, orbitKitCodes, code)
		require.Contains(t, string(index), "\n### "+strings.ReplaceAll(strings.ToLower(code), "_", "-")+"\n")
	}
}
