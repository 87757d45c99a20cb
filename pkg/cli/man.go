package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
)

// manCommand is for those who package mfad.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages into a folder", Hidden: true, Args: cobra.ExactArgs(1),
		Long: `Write a page of manual for mfad and for each of its commands into a folder, from
the text of --help. The same program writes the same bytes; a date stands in them
only where SOURCE_DATE_EPOCH gives one.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			date, err := manDate(a.getenv("SOURCE_DATE_EPOCH"))
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return writePages(args[0], cmd.Root(), date)
		},
	}
}

// manDate reads SOURCE_DATE_EPOCH, as reproducible-builds.org defines it.
func manDate(epoch string) (string, error) {
	if epoch == "" {
		return "", nil
	}
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return "", &creds.Error{Code: creds.CodeUsage, Op: "read SOURCE_DATE_EPOCH", Hint: "use seconds since 1970, or unset it", Err: err}
	}
	return time.Unix(n, 0).UTC().Format(time.DateOnly), nil
}

func writePages(dir string, c *cobra.Command, date string) error {
	if err := os.WriteFile(filepath.Join(dir, manName(c)+".1"), []byte(manPage(c, date)), 0o644); err != nil {
		return err
	}
	for _, sub := range shownCommands(c) {
		if err := writePages(dir, sub, date); err != nil {
			return err
		}
	}
	return nil
}

func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// shownCommands are those that help lists, without help itself.
func shownCommands(c *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			all = append(all, sub)
		}
	}
	return all
}

// manPage writes a command's page in the macros of man(7).
func manPage(c *cobra.Command, date string) string {
	p := &page{}
	fmt.Fprintf(p, ".TH \"%s\" 1 \"%s\" mfad \"mfad manual\"\n", roff(strings.ToUpper(manName(c))), date) // mandoc knows no escaped date
	p.macro("SH", "NAME")
	p.line(manName(c) + " - " + c.Short)
	p.macro("SH", "SYNOPSIS")
	p.macro("B", c.UseLine())
	p.macro("SH", "DESCRIPTION")
	p.text(orElse(c.Long, c.Short+"."))
	c.InitDefaultHelpFlag()
	p.options("OPTIONS", c.NonInheritedFlags().FlagUsages())
	p.options("GLOBAL OPTIONS", c.InheritedFlags().FlagUsages())
	if subs := shownCommands(c); len(subs) > 0 {
		p.macro("SH", "COMMANDS")
		for _, sub := range subs {
			p.term(manName(sub)+"(1)", sub.Short)
		}
	}
	if c.Example != "" {
		p.macro("SH", "EXAMPLES")
		p.verbatim(strings.Split(c.Example, "\n"))
	}
	p.terms("EXIT STATUS", exitStatuses())
	if !c.HasParent() {
		p.terms("ENVIRONMENT", environment())
		p.terms("FILES", files())
	}
	p.seeAlso(c)
	return p.String()
}

// page is the source of a manual page. It is ASCII.
type page struct{ strings.Builder }

// line writes a line of text, of which no character is taken for a request.
func (p *page) line(text string) {
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		p.WriteString(`\&`)
	}
	p.WriteString(roff(text) + "\n")
}

// roff escapes text as groff_char(7) has it.
func roff(text string) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case c == '\\':
			b.WriteString(`\e`)
		case c == '-':
			b.WriteString(`\-`)
		case c == '\'':
			b.WriteString(`\(aq`)
		case c == '`':
			b.WriteString(`\(ga`)
		case c == '^':
			b.WriteString(`\(ha`)
		case c == '~':
			b.WriteString(`\(ti`)
		case c > '~':
			fmt.Fprintf(&b, `\[u%04X]`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func (p *page) macro(name string, args ...string) {
	p.WriteString("." + name)
	for _, arg := range args {
		p.WriteString(` "` + strings.ReplaceAll(roff(arg), `"`, `\(dq`) + `"`)
	}
	p.WriteString("\n")
}

// text writes paragraphs; indented lines stay as they are.
func (p *page) text(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.macro("PP")
		}
		lines := strings.Split(paragraph, "\n")
		if strings.HasPrefix(lines[0], "  ") {
			p.verbatim(lines)
			continue
		}
		p.fill(paragraph)
	}
}

// fill writes words in short lines: what they are shown in is man's to decide.
func (p *page) fill(text string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(roff(line))+len(roff(word)) > 76 {
			p.line(line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	p.line(line)
}

func (p *page) verbatim(lines []string) {
	p.macro("nf")
	for _, l := range lines {
		p.line(strings.TrimPrefix(l, "  "))
	}
	p.macro("fi")
}

func (p *page) term(term, text string) {
	p.macro("TP")
	p.macro("B", term)
	p.fill(text)
}

func (p *page) terms(heading string, all [][2]string) {
	p.macro("SH", heading)
	for _, t := range all {
		p.term(t[0], t[1])
	}
}

// options writes the flags as --help has them.
func (p *page) options(heading, usages string) {
	if strings.TrimSpace(usages) == "" {
		return
	}
	p.macro("SH", heading)
	for line := range strings.Lines(usages) {
		flag, text, _ := strings.Cut(strings.TrimSpace(line), "   ")
		p.term(flag, strings.TrimSpace(text))
	}
}

func (p *page) seeAlso(c *cobra.Command) {
	p.macro("SH", "SEE ALSO")
	var names []string
	for up := c.Parent(); up != nil; up = up.Parent() {
		names = append([]string{manName(up) + "(1)"}, names...)
	}
	for _, sub := range shownCommands(c) {
		names = append(names, manName(sub)+"(1)")
	}
	p.fill(strings.Join(append(names, "aws(1)"), ", "))
}
