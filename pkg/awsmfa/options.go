package awsmfa

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// Options are aws-mfa's arguments. What was not given is the zero value.
type Options struct {
	Help bool // nothing else counts then

	Device   string // the MFA device's ARN, or a hardware serial
	Duration int    // seconds, unchecked; 0 counts as not given
	Profile  string // the name that both sections begin with

	LongSuffix, ShortSuffix string

	Role        string // the ARN of a role to assume
	RoleNamed   bool   // also with an empty one
	SessionName string
	Force       bool   // renew what still serves
	LogLevel    string // as Python's logging names it; never empty after Parse
	Setup       bool   // ask for a long-term key
	Token       string // the token code
}

// flag is one argument that aws-mfa takes.
type flag struct {
	names  []string // the longest first
	value  string   // what stands for the value in the usage; empty: takes none
	choice []string
	help   string
	set    func(o *Options, value string) error
}

// label names the flag in an error.
func (f flag) label() string { return strings.Join(f.names, "/") }

func text(field func(*Options) *string) func(*Options, string) error {
	return func(o *Options, value string) error { *field(o) = value; return nil }
}

func truth(field func(*Options) *bool) func(*Options, string) error {
	return func(o *Options, _ string) error { *field(o) = true; return nil }
}

// Parse reads arguments as Python's argparse does for aws-mfa: a flag may be
// shortened as long as it can mean one flag only, its value may follow = or be the
// next argument, the last one counts. An error has [creds.CodeUsage] and
// argparse's words.
func Parse(args []string) (Options, error) {
	o := Options{LogLevel: "DEBUG"}
	p := &parser{args: args}
	if err := p.classify(); err != nil {
		return o, err
	}
	var strange []string
	for i := 0; i < len(args); i++ {
		w := p.words[i]
		if w.flag == nil {
			strange = append(strange, args[i])
			continue
		}
		value, next, err := p.value(i)
		if err == nil {
			err = w.flag.accept(&o, value)
		}
		if err != nil || o.Help {
			return o, err
		}
		i = next
	}
	if len(strange) > 0 {
		return o, misuse("unrecognized arguments: %s", strings.Join(strange, " "))
	}
	return o, nil
}

func misuse(format string, args ...any) error {
	return &creds.Error{Code: creds.CodeUsage, Op: fmt.Sprintf(format, args...)}
}

// word is what one argument is: a flag, a value, or neither.
type word struct {
	flag     *flag
	explicit *string // the value behind = or behind a short flag
	isValue  bool
}

type parser struct {
	args  []string
	words []word
}

// negative is what argparse takes for a number and not for a flag.
var negative = regexp.MustCompile(`^-\d+$|^-\d*\.\d+$`)

// classify looks at all arguments before any is taken, as argparse does.
func (p *parser) classify() error {
	known := flags()
	ended := false // after --
	for _, arg := range p.args {
		w := word{}
		switch {
		case ended, len(arg) < 2, arg[0] != '-':
			w.isValue = true
		case arg == "--":
			ended = true
		default:
			var err error
			if w, err = match(known, arg); err != nil {
				return err
			}
			w.isValue = w.flag == nil && (negative.MatchString(arg) || strings.Contains(arg, " "))
		}
		p.words = append(p.words, w)
	}
	return nil
}

// match finds the flag that an argument names in full or begins.
func match(known []flag, arg string) (word, error) {
	name, value, explicit := strings.Cut(arg, "=")
	var found []string
	var w word
	same := true
	for i := range known {
		for _, n := range known[i].names {
			switch {
			case n == arg:
				return word{flag: &known[i]}, nil
			case n == name && explicit:
				return word{flag: &known[i], explicit: &value}, nil
			case strings.HasPrefix(arg, "--") && strings.HasPrefix(n, name):
				same = same && (w.flag == nil || w.flag == &known[i])
				found, w = append(found, n), word{flag: &known[i]}
				if explicit {
					w.explicit = &value
				}
			case n == arg[:2] && len(n) == 2:
				rest := arg[2:]
				found, w = append(found, n), word{flag: &known[i], explicit: &rest}
			}
		}
	}
	if !same {
		return w, misuse("ambiguous option: %s could match %s", arg, strings.Join(found, ", "))
	}
	return w, nil
}

// value gives the value of the flag at i and the last argument that belongs to it.
func (p *parser) value(i int) (value string, last int, err error) {
	w := p.words[i]
	switch {
	case w.flag.value == "" && w.explicit != nil:
		return "", i, misuse("argument %s: ignored explicit argument '%s'", w.flag.label(), *w.explicit)
	case w.flag.value == "":
		return "", i, nil
	case w.explicit != nil:
		return *w.explicit, i, nil
	}
	next := i + 1
	if next < len(p.args) && p.args[next] == "--" {
		next++
	}
	if next >= len(p.args) || !p.words[next].isValue {
		return "", i, misuse("argument %s: expected one argument", w.flag.label())
	}
	return p.args[next], next, nil
}

func (f *flag) accept(o *Options, value string) error {
	if f.choice != nil && !slices.Contains(f.choice, value) {
		return misuse("argument %s: invalid choice: '%s' (choose from '%s')", f.label(), value, strings.Join(f.choice, "', '"))
	}
	return f.set(o, value)
}

func setDuration(o *Options, value string) error {
	n, ok := integer(value)
	if !ok {
		return misuse("argument --duration: invalid int value: '%s'", value)
	}
	o.Duration = n
	return nil
}

var digits = regexp.MustCompile(`^[+-]?\d+(_\d+)*$`)

// integer reads what Python's int takes. What no computer word holds is as large,
// or as small, as one can be: AWS grants neither.
func integer(value string) (int, bool) {
	value = strings.TrimSpace(value)
	if !digits.MatchString(value) {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(value, "_", ""), 10, 32)
	if err != nil && n < 0 {
		return math.MinInt32, true
	}
	return int(n), true
}
