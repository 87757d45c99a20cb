package awsmfa

import "strings"

// Name is what the command calls itself.
const Name = "aws-mfa"

// flags are the arguments, in the order of the usage. aws-mfa's own names and
// metavariables are kept, for completions and wrappers read them.
func flags() []flag {
	return []flag{
		{names: []string{"-h", "--help"}, help: "show this text and exit", set: truth(func(o *Options) *bool { return &o.Help })},
		{names: []string{"--device"}, value: "arn:aws:iam::123456788990:mfa/dudeman",
			help: "the MFA device; else MFA_DEVICE, else aws_mfa_device in the section of the long-term key",
			set:  text(func(o *Options) *string { return &o.Device })},
		{names: []string{"--duration"}, value: "DURATION",
			help: "how long the credentials shall live, in seconds: 900 to 129600, or to 43200 with a role; else MFA_STS_DURATION, else 43200, or 3600 with a role",
			set:  setDuration},
		{names: []string{"--profile"}, value: "PROFILE", help: "the profile; else AWS_PROFILE, else default",
			set: text(func(o *Options) *string { return &o.Profile })},
		{names: []string{"--long-term-suffix", "--long-suffix"}, value: "LONG_TERM_SUFFIX",
			help: "what follows the profile's name and a dash in the section of the long-term key: long-term unless given, nothing with none",
			set:  text(func(o *Options) *string { return &o.LongSuffix })},
		{names: []string{"--short-term-suffix", "--short-suffix"}, value: "SHORT_TERM_SUFFIX",
			help: "the same for the section of the short-term credentials: nothing unless given",
			set:  text(func(o *Options) *string { return &o.ShortSuffix })},
		{names: []string{"--assume-role", "--assume"}, value: "arn:aws:iam::123456788990:role/RoleName",
			help: "a role to assume; else MFA_ASSUME_ROLE, else assume_role in the section of the long-term key",
			set:  func(o *Options, value string) error { o.Role, o.RoleNamed = value, true; return nil }},
		{names: []string{"--role-session-name"}, value: "ROLE_SESSION_NAME", help: "the session's name with a role; else the user's login name",
			set: text(func(o *Options) *string { return &o.SessionName })},
		{names: []string{"--force"}, help: "renew credentials that still serve", set: truth(func(o *Options) *bool { return &o.Force })},
		{names: []string{"--log-level"}, value: "{" + strings.Join(levels(), ",") + "}", choice: levels(), help: "which messages are shown; all unless given",
			set: text(func(o *Options) *string { return &o.LogLevel })},
		{names: []string{"--setup"}, help: "ask for a long-term key and write its section", set: truth(func(o *Options) *bool { return &o.Setup })},
		{names: []string{"--token", "--mfa-token"}, value: "TOKEN", help: "the token code; other users of this machine can read it there",
			set: text(func(o *Options) *string { return &o.Token })},
	}
}

func levels() []string { return []string{"CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"} }

// Width of the help, and of its left column.
const (
	helpWidth  = 78
	helpIndent = 24
)

// Usage is the synopsis, in argparse's form.
func Usage() string {
	const head = "usage: " + Name
	var b strings.Builder
	line := head
	for _, f := range flags() {
		name := f.names[0]
		if f.value != "" {
			name += " " + f.value
		}
		part := " [" + name + "]"
		if len(line)+len(part) > helpWidth {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", len(head))
		}
		line += part
	}
	return b.String() + line + "\n"
}

// Help is the synopsis and what each argument means.
func Help() string {
	var b strings.Builder
	b.WriteString(Usage() + "\noptions:\n")
	for _, f := range flags() {
		var names []string
		for _, n := range f.names {
			if f.value != "" {
				n += " " + f.value
			}
			names = append(names, n)
		}
		left := "  " + strings.Join(names, ", ")
		if len(left) > helpIndent-2 {
			b.WriteString(left + "\n")
			left = ""
		}
		for _, line := range wrap(f.help, helpWidth-helpIndent) {
			b.WriteString(left + strings.Repeat(" ", helpIndent-len(left)) + line + "\n")
			left = ""
		}
	}
	return b.String()
}

func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && len(line)+1+len(w) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+w, " ")
	}
	return append(lines, line)
}
