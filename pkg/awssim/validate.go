package awssim

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// itoa is short for the decimal text of n.
func itoa(n int) string { return strconv.Itoa(n) }

// pattern is a constraint of a service's model: as AWS writes it in errors, and
// as Go matches it. It is compiled when it is first needed: most programs that
// contain a simulator never start it.
type pattern struct {
	text string
	re   func() *regexp.Regexp
}

// newPattern takes AWS's spelling, which is Java's.
func newPattern(text string) pattern {
	return pattern{text, sync.OnceValue(func() *regexp.Regexp {
		expr := regexp.MustCompile(`\\u([0-9A-F]{4,5})`).ReplaceAllString(text, `\x{$1}`)
		return regexp.MustCompile(`^(?:` + expr + `)$`)
	})}
}

// matches tells whether all of v fits; everything fits the zero pattern.
func (p pattern) matches(v string) bool { return p.re == nil || p.re().MatchString(v) }

// kind is how a parameter is spelt on the wire.
type kind int

const (
	text    kind = iota
	integer      // decimal digits
	list         // Name.member.1, or Name.member.1.Field with fields
)

// param is one parameter of an action, with the constraints of its model.
type param struct {
	name     string
	kind     kind
	required bool
	// min and max bound a text's characters, an integer's value or a list's
	// length; max 0 means no bound.
	min, max int
	pattern  pattern  // the zero pattern matches everything
	values   []string // the only ones there are, if set
	secret   bool     // AWS does not repeat the value in errors
	fields   []param  // of a list of records
	element  *param   // of a list of texts
}

// check tells, in AWS's words, which constraints v at path breaks.
func (p param) check(path, v string) (broken []string) {
	say := func(format string, args ...any) {
		subject := "Value '" + v + "' at '" + path + "'"
		if p.secret {
			subject = "Value at '" + path + "'"
		}
		broken = append(broken, subject+" failed to satisfy constraint: "+fmt.Sprintf(format, args...))
	}
	if p.kind == integer {
		n, _ := strconv.Atoi(v)
		if n < p.min {
			say("Member must have value greater than or equal to %d", p.min)
		}
		if n > p.max {
			say("Member must have value less than or equal to %d", p.max)
		}
		return broken
	}
	n := utf8.RuneCountInString(v)
	if n < p.min {
		say("Member must have length greater than or equal to %d", p.min)
	}
	if p.max > 0 && n > p.max {
		say("Member must have length less than or equal to %d", p.max)
	}
	if !p.pattern.matches(v) {
		say("Member must satisfy regular expression pattern: %s", p.pattern.text)
	}
	if p.values != nil && !slices.Contains(p.values, v) {
		say("Member must satisfy enum value set: [%s]", strings.Join(p.values, ", "))
	}
	return broken
}

// arguments are the parameters of a request that keeps its action's model.
type arguments struct {
	scalars map[string]string
	lists   map[string][]map[string]string // a list of texts has the field ""
}

// has tells whether the parameter was sent.
func (a arguments) has(name string) bool { _, ok := a.scalars[name]; return ok }

// text gives a parameter, "" if it was not sent.
func (a arguments) text(name string) string { return a.scalars[name] }

// integer gives a parameter, or the default if it was not sent.
func (a arguments) integer(name string, byDefault int) int {
	if v, ok := a.scalars[name]; ok {
		n, _ := strconv.Atoi(v)
		return n
	}
	return byDefault
}

// parseArguments holds a form against the model. AWS overlooks parameters that
// it does not know; here they are a ValidationError, because a client that
// misspells one has a bug.
func parseArguments(form url.Values, model []param) (arguments, *failure) {
	a := arguments{scalars: make(map[string]string), lists: make(map[string][]map[string]string)}
	rest := maps.Clone(form)
	delete(rest, "Action")
	delete(rest, "Version")
	var broken []string
	for _, p := range model {
		path := strings.ToLower(p.name[:1]) + p.name[1:]
		if p.kind == list {
			broken = append(broken, a.takeList(p, path, rest)...)
			continue
		}
		values, sent := rest[p.name]
		delete(rest, p.name)
		switch {
		case !sent && p.required:
			broken = append(broken, "Value null at '"+path+"' failed to satisfy constraint: Member must not be null")
		case !sent:
		case p.kind == integer && !isInteger(values[0]):
			return a, badRequest("MalformedInput", "The value of "+p.name+" is no integer")
		default:
			a.scalars[p.name] = values[0]
			broken = append(broken, p.check(path, values[0])...)
		}
	}
	if len(rest) > 0 {
		unknown := slices.Sorted(maps.Keys(rest))
		return a, validation("The action has no parameter " + strings.Join(unknown, ", "))
	}
	if len(broken) > 0 {
		return a, constraints(broken)
	}
	return a, nil
}

func isInteger(v string) bool {
	_, err := strconv.ParseInt(v, 10, 32)
	return err == nil
}

// takeList moves the elements of p from rest to a, from member 1 on without a
// gap, and checks them. An empty list is sent as the bare name.
func (a arguments) takeList(p param, path string, rest url.Values) (broken []string) {
	if v, sent := rest[p.name]; sent && v[0] == "" {
		delete(rest, p.name)
	}
	fields := p.fields
	if p.element != nil {
		fields = []param{*p.element}
	}
	for n := 1; ; n++ {
		record := make(map[string]string)
		wire, where := p.name+".member."+itoa(n), path+"."+itoa(n)+".member"
		for _, f := range fields {
			name, at := wire, where
			if f.name != "" {
				name, at = wire+"."+f.name, where+"."+strings.ToLower(f.name[:1])+f.name[1:]
			}
			values, sent := rest[name]
			if !sent {
				continue
			}
			delete(rest, name)
			record[f.name] = values[0]
			broken = append(broken, f.check(at, values[0])...)
		}
		if len(record) == 0 {
			break
		}
		for _, f := range fields {
			if _, sent := record[f.name]; f.required && !sent {
				broken = append(broken, "Value null at '"+where+"."+strings.ToLower(f.name)+"' failed to satisfy constraint: Member must not be null")
			}
		}
		a.lists[p.name] = append(a.lists[p.name], record)
	}
	if got := len(a.lists[p.name]); p.max > 0 && got > p.max {
		broken = append(broken, "Value at '"+path+"' failed to satisfy constraint: Member must have length less than or equal to "+itoa(p.max))
	}
	return broken
}
