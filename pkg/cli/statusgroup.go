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

// most is how many profiles are shown one by one.
func (s statusStyle) most() int {
	if s.crowd > 0 {
		return s.crowd
	}
	return crowd
}

// writeGrouped draws so many profiles that nobody would read a line for each: the
// groups, and by name those that are not fresh.
func writeGrouped(w io.Writer, ps []localapi.ProfileStatus, now time.Time, style statusStyle) {
	all := groups(ps)
	slices.SortStableFunc(all, func(a, b *group) int { return cmp.Compare(a.identity, b.identity) })
	style.table(w, 1, func(d detail) [][]string {
		least := "LEFT AT LEAST"
		if !d.bar {
			least = "LEFT"
		}
		rows := [][]string{d.row([]string{"PROFILES", "IDENTITY", "STATE", least}, "NEXT", "VIA")}
		for _, g := range all {
			rows = append(rows, d.row([]string{strconv.Itoa(g.count), g.identity, g.state,
				remaining(g.first.Expires, g.first.DurationSeconds, now, d.bar)}, next(g.next, now), g.via))
		}
		return rows
	})
	stale := slices.DeleteFunc(slices.Clone(ps), func(p localapi.ProfileStatus) bool { return p.State == "fresh" })
	if shown := stale[:min(len(stale), style.most())]; len(shown) > 0 {
		fmt.Fprintln(w)
		writeProfiles(w, shown, now, style)
	}
	if more := len(stale) - style.most(); more > 0 {
		fmt.Fprintf(w, "… and %d more that are not fresh\n", more)
	}
	fmt.Fprintf(w, "\nby name: mfad status -v, or some: mfad status '%s*'\n", ps[0].Name[:1])
}
