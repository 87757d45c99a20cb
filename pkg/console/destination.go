package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Destination gives the address of a console page. What is one of:
//
//   - empty: the console's home of the region;
//   - a name of [Services], in any case: that service's page;
//   - an https address of the console of the same partition, taken as it is.
//
// The empty partition means aws. Without a region the console picks the one
// that the user saw last. Everything else is a [creds.Error] with
// [creds.CodeUsage]: an unknown name, an address that is not the console's or
// another partition's, a region of another partition. Of the partitions whose
// name begins with aws-iso no page is published: only an address will do there,
// and any under the partition's domains does.
func Destination(partition, region, what string) (string, error) {
	p, err := find(partition, region)
	if err != nil {
		return "", err
	}
	what = strings.TrimSpace(what)
	// No name has any of these, and no address has none.
	if strings.ContainsAny(what, "/:.") {
		return what, p.checkAddress(what)
	}
	if p.closed {
		return "", refuse("give the address of a page: --destination https://...",
			"the pages of the console in "+p.name+" are not published", "find the console of partition %q", p.name)
	}
	if what == "" {
		return p.page(region, service{path: "console/home"}), nil
	}
	s, ok := lookUp(strings.ToLower(what))
	if !ok {
		return "", unknownService(what)
	}
	return p.page(region, s), nil
}

// Services gives the names that [Destination] takes, sorted; a service that is
// called by several has them all.
func Services() []string {
	var names []string
	for _, s := range services() {
		names = append(names, strings.Fields(s.names)...)
	}
	slices.Sort(names)
	return names
}

func lookUp(name string) (service, bool) {
	for _, s := range services() {
		if slices.Contains(strings.Fields(s.names), name) {
			return s, true
		}
	}
	return service{}, false
}

// page builds the address of a service's page. Every region has a host of its
// own, and the one without a region serves what is global ("AWS Management
// Console Getting Started Guide, DNS configuration for AWS Management Console
// and AWS Sign-In").
func (p partition) page(region string, s service) string {
	path, fragment, _ := strings.Cut(s.path, "#")
	u := url.URL{Scheme: "https", Host: "console." + p.domains[0], Path: "/" + path, Fragment: fragment}
	if region != "" && !s.global {
		u.Host = region + "." + u.Host
		u.RawQuery = url.Values{"region": {region}}.Encode()
	}
	return u.String()
}

// checkAddress takes an address if a browser that has just signed in should be
// sent there. AWS checks it too, but says no more than "Bad Request".
func (p partition) checkAddress(address string) error {
	hint := "give a page of the console, such as: --destination https://console." + p.domains[0] + "/"
	if p.closed {
		hint = "give a page under " + strings.Join(p.domains, " or ") + ": --destination https://..."
	}
	op := fmt.Sprintf("open %q in the console", address)
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return refuse(hint, "that is not an address", "%s", op)
	case u.Scheme != "https" || u.Host == "":
		return refuse(hint, "an address begins with https://", "%s", op)
	case u.User != nil || u.Port() != "" && u.Port() != "443":
		return refuse(hint, "the console's addresses have neither a user nor a port", "%s", op)
	}
	host := strings.ToLower(u.Hostname())
	for _, other := range partitions() {
		switch {
		case !slices.ContainsFunc(other.domains, func(d string) bool { return within(host, d) }):
			continue
		case other.name != p.name:
			return refuse(hint, fmt.Sprintf("the role is in partition %s, and %s is in %s", p.name, host, other.name), "%s", op)
		case other.isConsole(host):
			return nil
		}
	}
	return refuse(hint, host+" is not a host of the AWS console", "%s", op)
}

// isConsole tells whether a host that is under one of the partition's domains
// serves console pages. Beside the region's hosts there are those of services,
// such as support.console.aws.amazon.com, and of multi-session support, such as
// 111111111111-abcdefgh.eu-west-1.console.aws.amazon.com. Four consoles of aws
// are not under console.aws.amazon.com; the documentation, the forums and the
// sign-in service itself must not pass.
func (p partition) isConsole(host string) bool {
	if p.closed || within(host, "console."+p.domains[0]) {
		return true
	}
	switch host {
	case "health.aws.amazon.com", "phd.aws.amazon.com", "lightsail.aws.amazon.com":
		return true
	}
	return within(host, "quicksight.aws.amazon.com")
}

// within tells whether host is domain or a name under it.
func within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

func unknownService(name string) error {
	const address = "give the address of the page: --destination https://..."
	hint := address
	if near := nearest(strings.ToLower(name)); near != "" {
		hint = "try --destination " + near + ", or " + address
	}
	return refuse(hint, "mfad knows no service of that name", "open %q in the console", name)
}

// nearest gives the name that takes the fewest edits to get to, and none if
// more than a third of the letters would have to be edited.
func nearest(name string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, n := range Services() {
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is Levenshtein's, with a swap of two neighbours as one edit.
func distance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			replace := row[j]
			if a[i] != b[j] {
				replace++
			}
			next[j+1] = min(replace, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
