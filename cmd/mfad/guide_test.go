//go:build unix

package main

import (
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	shellBlock = regexp.MustCompile("(?s)\n```sh\n(.*?)\n```\n")
	inProse    = regexp.MustCompile("`(mfad [^`]+)`")
	pictured   = regexp.MustCompile(`!\[([^\]]*)\]\(([^)]+)\)`)
	aFlag      = regexp.MustCompile(`^--?[a-z][a-z-]*`)
	aWord      = regexp.MustCompile(`^[a-z][a-z-]*$`)
)

// guide is docs/guide.md, with the line ends of Unix.
func guide(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide.md"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// commandsIn gives the commands of mfad in a text, without what follows in another
// program's.
func commandsIn(text string) (commands []string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " #")
		for piece := range strings.SplitSeq(line, "|") {
			piece, _, _ = strings.Cut(piece, " -- ")
			piece, _, _ = strings.Cut(piece, ">")
			if piece = strings.TrimSpace(piece); strings.HasPrefix(piece, "mfad ") {
				commands = append(commands, piece)
			}
		}
	}
	return commands
}

// TestTheGuidesCommands exist in the program, with their flags.
func TestTheGuidesCommands(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	text := guide(t)
	var commands []string
	for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
		commands = append(commands, commandsIn(block[1])...)
	}
	if len(commands) < 15 {
		t.Fatalf("the guide has %d commands; is it read right?", len(commands))
	}
	for _, c := range inProse.FindAllStringSubmatch(text, -1) {
		commands = append(commands, c[1])
	}
	for _, command := range commands {
		args := strings.Fields(command)[1:]
		path := []string{args[0]}
		help := finish(m.command(binary, args[0], "--help"))
		if len(args) > 1 && aWord.MatchString(args[1]) {
			below := finish(m.command(binary, args[0], args[1], "--help"))
			if strings.Contains(below.stdout, "\n  mfad "+args[0]+" "+args[1]) {
				path, help = args[:2], below
			}
		}
		usage := "\n  mfad " + strings.Join(path, " ")
		if help.status != 0 || !strings.Contains(help.stdout, usage) {
			t.Errorf("%s: the program has no such command: status %d, %s", command, help.status, help.stderr)
			continue
		}
		for _, arg := range args[len(path):] {
			if flag := aFlag.FindString(arg); flag != "" && !strings.Contains(help.stdout, " "+flag+" ") && !strings.Contains(help.stdout, " "+flag+"\n") {
				t.Errorf("%s: its help has no %s", command, flag)
			}
		}
	}
	if m.daemon() != 0 {
		t.Error("a help has started the daemon")
	}
}

// TestTheGuidesPictures exist, can be read, and are all in use.
func TestTheGuidesPictures(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	var size int64
	for _, p := range pictured.FindAllStringSubmatch(guide(t), -1) {
		says, name := p[1], p[2]
		used[filepath.Base(name)] = true
		if says == "" {
			t.Errorf("%s has no words for who cannot see it", name)
		}
		f, err := os.Open(filepath.Join("..", "..", "docs", filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
			continue
		}
		if info, err := f.Stat(); err == nil {
			size += info.Size()
		}
		if err := isPicture(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
	if len(used) < 6 || size > 600<<10 {
		t.Errorf("there are %d pictures of %d bytes; want at least 6 in at most 600 KB", len(used), size)
	}
	all, err := os.ReadDir(filepath.Join("..", "..", "docs", "img"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !used[f.Name()] {
			t.Errorf("docs/img/%s is in no guide", f.Name())
		}
	}
}

// isPicture wants a window with something in it, or a terminal with some lines.
func isPicture(f *os.File) error {
	if strings.HasSuffix(f.Name(), ".png") {
		c, err := png.DecodeConfig(f)
		if err == nil && (c.Width < 100 || c.Height < 100) {
			err = errors.New("it is too small to show anything")
		}
		return err
	}
	texts := 0
	for d := xml.NewDecoder(f); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "text" {
			texts++
		}
	}
	if texts < 5 {
		return errors.New("it has next to no text")
	}
	return nil
}
