package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
)

const (
	// crowd is how many profiles status shows one by one without being asked to.
	crowd = 40
	// complaints is how many errors it shows of more profiles than that.
	complaints = 10
)

// group is profiles that status shows as one line.
type group struct {
	identity, state, via string
	count                int
	first                localapi.ProfileStatus // the one whose credentials end first
	next                 *time.Time             // the soonest refresh
}

// groups counts profiles by identity, state and the way they came, in the order in
// which they first come.
func groups(ps []localapi.ProfileStatus) []*group {
	var all []*group
	for _, p := range ps {
		i := slices.IndexFunc(all, func(g *group) bool {
			return g.identity == p.Identity && g.state == p.State && g.via == text(p.Via)
		})
		if i < 0 {
			i = len(all)
			all = append(all, &group{identity: p.Identity, state: p.State, via: text(p.Via), first: p, next: p.NextRefresh})
		}
		g := all[i]
		g.count++
		if p.Expires != nil && (g.first.Expires == nil || p.Expires.Before(*g.first.Expires)) {
			g.first = p
		}
		if p.NextRefresh != nil && (g.next == nil || p.NextRefresh.Before(*g.next)) {
			g.next = p.NextRefresh
		}
	}
	return all
}

// writeGrouped draws so many profiles that nobody would read a line for each: the
// groups, and by name those that are not fresh.
func writeGrouped(w io.Writer, ps []localapi.ProfileStatus, now time.Time) {
	rows := [][]string{{"PROFILES", "IDENTITY", "STATE", "LEFT AT LEAST", "NEXT", "VIA"}}
	all := groups(ps)
	slices.SortStableFunc(all, func(a, b *group) int { return cmp.Compare(a.identity, b.identity) })
	for _, g := range all {
		rows = append(rows, []string{strconv.Itoa(g.count), g.identity, g.state,
			remaining(g.first.Expires, g.first.DurationSeconds, now), next(g.next, now), g.via})
	}
	writeTable(w, rows)
	stale := slices.DeleteFunc(slices.Clone(ps), func(p localapi.ProfileStatus) bool { return p.State == "fresh" })
	if shown := stale[:min(len(stale), crowd)]; len(shown) > 0 {
		fmt.Fprintln(w)
		writeProfiles(w, shown, now)
	}
	if more := len(stale) - crowd; more > 0 {
		fmt.Fprintf(w, "… and %d more that are not fresh\n", more)
	}
	fmt.Fprintf(w, "\nby name: mfad status -v, or some: mfad status '%s*'\n", ps[0].Name[:1])
}
