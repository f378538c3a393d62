package setupintent_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/stretchr/testify/require"
)

// foreignMoves are the moves that may be made on a row that is not pending.
var foreignMoves = []setupintent.MoveID{
	setupintent.MoveSpend, setupintent.MoveSuspect, setupintent.MoveRecord, setupintent.MoveAdopt, setupintent.MoveReplay,
	setupintent.MoveNever, setupintent.MoveFinish, setupintent.MoveClean, setupintent.MoveKeep, setupintent.MoveLeave, setupintent.MoveBackOff, setupintent.MoveUnknown, setupintent.MoveTurn,
}

// arrow is where a move was seen to bring a row from, and to: its phase, or the
// status that it ended with.
type arrow struct {
	id       setupintent.MoveID
	from, to string
}

var states = []string{"none", "claimed", "attached", "closing", "done", "active", "abandoned", "cancelled"}

// TestMoves tries every move on a great many rows, and checks what holds of all
// of them, and that the diagrams show what was seen.
func TestMoves(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(n int) int { return rng.IntN(n) }
	ages := []time.Duration{0, setupintent.Lease - 1, setupintent.Lease, setupintent.MaxFlight, setupintent.KeyLife - 1, setupintent.KeyLife, 48 * time.Hour}
	all := []setupintent.Status{setupintent.Pending, setupintent.Active, setupintent.Abandoned, setupintent.Cancelled, suspended}
	phases := []setupintent.Phase{setupintent.None, setupintent.Claimed, setupintent.Attached, setupintent.Closing, setupintent.Done}
	rules := setupintent.NewRules()
	seen := map[arrow]bool{}
	const rows = 300_000
	made := 0
	for range rows {
		before := setupintent.Account{
			Format: 1, Phase: phases[pick(5)], Attempts: pick(5), Deadline: now.Add(time.Duration(pick(3)-1) * time.Hour),
			Intent: setupintent.Effect{
				ID: []string{"", "seti_1"}[pick(2)], Key: []string{"", "k1", "k2"}[pick(3)], Free: pick(2) == 0, Void: pick(2) == 0, Doubt: pick(2) == 0, Spent: pick(2) == 0,
				Last: now.Add(-ages[pick(len(ages))]), Errors: pick(4), ErrSince: now.Add(-ages[pick(len(ages))]),
			},
			Target: []setupintent.Status{"", setupintent.Abandoned, setupintent.Cancelled}[pick(3)],
			Failed: slices.Repeat([]string{"setatt"}, pick(6)),
		}
		before.Intent.Sent = before.Intent.Last.Add(-ages[pick(len(ages))])
		if pick(3) == 0 {
			sent := now.Add(-ages[pick(len(ages))])
			before.Customer = &setupintent.Effect{ID: []string{"", "cus_1"}[pick(2)], Key: []string{"", "k1"}[pick(2)], Free: pick(2) == 0, Spent: pick(2) == 0, Sent: sent, Last: sent}
		}
		if pick(20) == 0 {
			before.Namespace = "another"
		}
		row := setupintent.Row{ID: "42", Status: all[pick(len(all))*pick(2)], Version: int64(pick(9)), Due: []time.Time{{}, now, now.Add(time.Hour)}[pick(3)]}
		if pick(10) > 0 {
			row.Progress = setupintent.NewProgress(before)
		}
		before = setupintent.Read(row.Progress)
		in := setupintent.Intent{
			ID: []string{"", "seti_1", "seti_2"}[pick(3)], LatestAttempt: "setatt_9", ErrorCode: []string{"", "card_declined"}[pick(2)],
			Status:   []setupintent.IntentStatus{setupintent.Succeeded, setupintent.Canceled, setupintent.Processing, setupintent.RequiresAction}[pick(4)],
			Metadata: map[string]string{"cardonfile_key": setupintent.KeyHash([]string{"k1", "k2"}[pick(2)])},
		}
		key := []string{"k1", "k2"}[pick(2)]
		id := setupintent.MoveID(pick(setupintent.MoveCount))
		target := all[pick(len(all))]

		next, ok := setupintent.Try(rules, id, row, now, key, in, target, pick(2) == 0)
		require.Equal(t, before, setupintent.Read(row.Progress), "%s changed the row it was given", setupintent.MoveName(id))
		if !ok {
			continue
		}
		made++
		name := setupintent.MoveName(id)
		after := setupintent.Read(next.Progress)
		to := string(after.Phase)
		if next.Status != row.Status {
			to = string(next.Status)
		}
		seen[arrow{id, string(before.Phase), to}] = true
		say := []any{"%s: %+v %+v\n-> %+v %+v", name, row, before, next, after}

		require.Contains(t, setupintent.MoveFrom(id), before.Phase, say...)
		require.Equal(t, row.Version+1, next.Version, say...)
		require.Equal(t, row.ID, next.ID, say...)
		if row.Status != setupintent.Pending {
			require.Equal(t, row.Status, next.Status, say...)
			require.Contains(t, foreignMoves, id, say...)
		}
		if before.Namespace != "" && before.Phase != setupintent.None && before.Phase != setupintent.Done {
			require.Fail(t, "a row of another namespace was moved", say...)
		}
		require.GreaterOrEqual(t, after.Attempts, before.Attempts, say...)
		if c := before.Customer; c != nil && before.Namespace != after.Namespace {
			require.True(t, after.Customer == nil || after.Customer.Key != c.Key || after.Customer.ID != c.ID, say...)
		} else if c != nil && id != setupintent.MoveActivate && id != setupintent.MoveClaim && id != setupintent.MoveCustomerNone {
			require.NotNil(t, after.Customer, say...)
			require.Equal(t, c.ID, after.Customer.ID, say...)
			require.Equal(t, c.Key, after.Customer.Key, say...)
		}
		require.GreaterOrEqual(t, len(after.Failed), len(before.Failed), say...)
		if after.Intent.Key != before.Intent.Key && after.Intent.Key != "" {
			require.Equal(t, setupintent.MoveClaim, id, say...)
			require.Equal(t, setupintent.None, before.Phase, say...)
			require.LessOrEqual(t, after.Attempts, 3, say...)
		}
		if after.Intent.Last != before.Intent.Last && after.Intent.Key != "" { // it is going to be sent
			require.Equal(t, now, after.Intent.Last, say...)
			require.Equal(t, now.Add(setupintent.Lease), next.Due, say...)
			require.False(t, after.Intent.Spent, say...)
			require.False(t, after.Intent.Void, say...)
			again := id != setupintent.MoveClaim && (before.Intent.Doubt || !before.Intent.Void)
			require.Equal(t, again, after.Intent.Doubt, say...)
			require.Less(t, now.Sub(after.Intent.Sent), setupintent.KeyLife, say...)
		}
		switch next.Status {
		case row.Status:
			require.False(t, next.Status == setupintent.Pending && next.Due.IsZero() && !row.Due.IsZero() && after.Phase != setupintent.None, "a pending row that nobody looks at: %s -> %+v", name, next)
		case setupintent.Active:
			require.True(t, id == setupintent.MoveActivate && in.Status == setupintent.Succeeded && after.Intent.ID == in.ID || id == setupintent.MoveRestore, say...)
			require.True(t, next.Due.IsZero(), say...)
		default: // ended
			require.True(t, next.Due.IsZero(), say...)
			require.Equal(t, setupintent.None, after.Phase, say...)
			require.Empty(t, after.Intent.Key, say...)
			if before.Phase == setupintent.Closing {
				require.Equal(t, before.Target, next.Status, say...)
				require.True(t, in.Status == setupintent.Canceled && in.ID == before.Intent.ID || id == setupintent.MoveNever && before.Intent.ID == "", say...)
			} else if before.Phase != setupintent.None {
				require.Equal(t, setupintent.Claimed, before.Phase, "a row whose intent may be live ended at once")
				require.True(t, before.Intent.Void && !before.Intent.Doubt, say...)
			}
		}
	}
	for id := range setupintent.MoveID(setupintent.MoveCount) {
		for _, from := range setupintent.MoveFrom(id) {
			made := slices.ContainsFunc(states, func(to string) bool { return seen[arrow{id, string(from), to}] })
			require.True(t, made, "%s was never made from %s", setupintent.MoveName(id), from)
		}
	}
	requireDiagrams(t, seen)
	found(t, layerMoves, fmt.Sprintf("%d moves, tried on %s rows, made on %s", setupintent.MoveCount, thousands(rows), thousands(made)))
}

// The table of docs/protocol.md has every move, and no other.
func TestProtocolDocument(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/protocol.md")
	require.NoError(t, err)
	var documented []string
	for _, line := range strings.Split(string(doc), "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 5 && !strings.Contains(cells[2], "---") && !strings.Contains(cells[3], "from") {
			documented = append(documented, strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(cells[2]), "†")))
			foreign := strings.Contains(cells[2], "†")
			for id := range setupintent.MoveCount {
				if name := setupintent.MoveName(setupintent.MoveID(id)); name == documented[len(documented)-1] {
					require.Equal(t, slices.Contains(foreignMoves, setupintent.MoveID(id)), foreign, "is %q marked?", name)
				}
			}
		}
	}
	var names []string
	for id := range setupintent.MoveCount {
		names = append(names, setupintent.MoveName(setupintent.MoveID(id)))
	}
	require.ElementsMatch(t, names, documented)
}

// drawn returns the lines of a diagram for what the moves have been seen to do.
func drawn(seen map[arrow]bool) []string {
	var lines []string
	for id := range setupintent.MoveID(setupintent.MoveCount) {
		for _, from := range setupintent.MoveFrom(id) {
			for _, to := range states {
				if to != string(from) && seen[arrow{id, string(from), to}] {
					lines = append(lines, fmt.Sprintf("    %s --> %s: %s", from, to, setupintent.MoveName(id)))
				}
			}
		}
	}
	return lines
}

// requireDiagrams compares the diagrams of the documents with what the moves have
// been seen to do.
func requireDiagrams(t *testing.T, seen map[arrow]bool) {
	t.Helper()
	proof, err := os.ReadFile("../docs/proof.md")
	require.NoError(t, err)
	want := "```mermaid\nstateDiagram-v2\n    [*] --> none\n" + strings.Join(drawn(seen), "\n") + "\n```"
	if !strings.Contains(string(proof), want) { // the document itself is no help
		require.Fail(t, "docs/proof.md has another diagram", "put this into it:\n%s", want)
	}

	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	short := regexp.MustCompile(`(?m)^    (\w+) --> (\w+):`).FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, short)
	ways := map[[2]string]bool{}
	for a := range seen {
		ways[[2]string{a.from, a.to}] = true
	}
	for _, line := range short {
		require.True(t, ways[[2]string{line[1], line[2]}], "no move does what README.md has: %s", line[0])
	}
}
