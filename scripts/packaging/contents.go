package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/service"
)

// texts are what mfad writes about itself, and what lies in the tree.
type texts struct {
	manual                            []file // by its names
	bash, zsh, fish, powershell       []byte // completions
	licence, readme, changes, example []byte
}

// texts has mfad write its manual and its completions, which are the same on all
// systems, and reads the others.
func (r *release) texts(ctx context.Context) (*texts, error) {
	mfad, err := r.build(ctx, here())
	if err != nil {
		return nil, err
	}
	var t texts
	if t.manual, err = r.manual(ctx, mfad); err != nil {
		return nil, err
	}
	for shell, text := range map[string]*[]byte{"bash": &t.bash, "zsh": &t.zsh, "fish": &t.fish, "powershell": &t.powershell} {
		if *text, err = r.mfad(ctx, mfad, "completion", shell); err != nil {
			return nil, err
		}
	}
	for path, text := range map[string]*[]byte{
		"LICENSE": &t.licence, "README.md": &t.readme, "docs/changes/README.md": &t.changes, "config/mfad.example.ini": &t.example,
	} {
		if *text, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return &t, nil
}

func (r *release) manual(ctx context.Context, mfad string) ([]file, error) {
	dir := filepath.Join(r.work, "man")
	if _, err := r.mfad(ctx, mfad, "man", dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var pages []file
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		pages = append(pages, file{e.Name(), 0o644, text})
	}
	return pages, nil
}

// mfad runs mfad, with nothing of the builder's to read.
func (r *release) mfad(ctx context.Context, path string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"HOME=" + r.work, "LANG=C.UTF-8", "MFAD_AUTOSTART=0", "SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.date.Unix(), 10),
		"SYSTEMROOT=" + os.Getenv("SYSTEMROOT")} // without which nothing starts on Windows
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("mfad %s: %w", args[0], said(err))
	}
	return out, nil
}

// archived is what is in a system's archive.
func archived(t target, p *program, s *texts) ([]file, error) {
	files := []file{
		{"LICENSE", 0o644, s.licence}, {"README.md", 0o644, s.readme}, {"CHANGES.md", 0o644, s.changes},
		{"mfad.example.ini", 0o644, s.example}, {"third-party-licenses.txt", 0o644, p.notices()},
	}
	if t.os == "windows" {
		return append(files, file{"mfad.exe", 0o755, p.data}, file{"completions/mfad.ps1", 0o644, s.powershell}), nil
	}
	for _, page := range s.manual {
		files = append(files, file{"man/" + page.path, page.mode, page.data})
	}
	return append(files, file{"mfad", 0o755, p.data}, file{"completions/mfad.bash", 0o644, s.bash},
		file{"completions/_mfad", 0o644, s.zsh}, file{"completions/mfad.fish", 0o644, s.fish}), nil
}

// packager is a kind of package, in nfpm's words.
type packager string

const (
	deb packager = "deb"
	rpm packager = "rpm"
)

// packaged is what a package of a kind brings, where its systems look for it.
func (r *release) packaged(kind packager, p *program, s *texts) ([]file, error) {
	const program = "/usr/bin/mfad"
	files := []file{
		{program, 0o755, p.data},
		{"/usr/lib/systemd/user/mfad.service", 0o644, service.SystemdService(program)},
		{"/usr/lib/systemd/user/mfad.socket", 0o644, service.SystemdSocket()},
		{"/usr/share/bash-completion/completions/mfad", 0o644, s.bash},
		{"/usr/share/fish/vendor_completions.d/mfad.fish", 0o644, s.fish},
	}
	for _, page := range s.manual {
		text, err := gzipped(page.data)
		if err != nil {
			return nil, err
		}
		files = append(files, file{"/usr/share/man/man1/" + page.path + ".gz", 0o644, text})
	}
	if kind == rpm {
		return append(files,
			file{"/usr/share/zsh/site-functions/_mfad", 0o644, s.zsh},
			file{"/usr/share/licenses/mfad/LICENSE", 0o644, s.licence},
			file{"/usr/share/licenses/mfad/third-party-licenses.txt", 0o644, p.notices()},
			file{"/usr/share/doc/mfad/CHANGES.md", 0o644, s.changes},
			file{"/usr/share/doc/mfad/mfad.example.ini", 0o644, s.example}), nil
	}
	files = append(files,
		file{"/usr/share/zsh/vendor-completions/_mfad", 0o644, s.zsh},
		file{"/usr/share/doc/mfad/copyright", 0o644, debianCopyright(s.licence)},
		file{"/usr/share/doc/mfad/examples/mfad.example.ini", 0o644, s.example},
		file{"/usr/share/lintian/overrides/mfad", 0o644, []byte(lintianOverrides)})
	for name, text := range map[string][]byte{ // Debian Policy, 12.7
		"changelog.gz": s.changes, "changelog.Debian.gz": r.debianChangelog(), "third-party-licenses.txt.gz": p.notices(),
	} {
		text, err := gzipped(text)
		if err != nil {
			return nil, err
		}
		files = append(files, file{"/usr/share/doc/mfad/" + name, 0o644, text})
	}
	return files, nil
}

// lintianOverrides are what Debian's checker is not to tell.
const lintianOverrides = `# It is made to run wherever its kernel does.
mfad: statically-linked-binary [usr/bin/mfad]
# It is not made for Debian's own archive.
mfad: initial-upload-closes-no-bugs [usr/share/doc/mfad/changelog.Debian.gz:1]
`

// maintainer is who answers for the packages.
const maintainer = "The mfad authors <mfad@users.noreply.github.com>"

// debianChangelog is in the form that Debian Policy, 4.4, wants.
func (r *release) debianChangelog() []byte {
	return fmt.Appendf(nil, "mfad (%s-%s) stable; urgency=medium\n\n  * mfad %s. What changed is in changelog.gz.\n\n -- %s  %s\n",
		r.packageVersion(), revision, r.version, maintainer, r.date.Format(time.RFC1123Z))
}

// debianCopyright is in the form of https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/.
func debianCopyright(licence []byte) []byte {
	title, rest, _ := strings.Cut(strings.TrimSpace(string(licence)), "\n\n")
	holder, text, _ := strings.Cut(rest, "\n\n")
	var b strings.Builder
	fmt.Fprintf(&b, `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: mfad
Source: %s
Comment: The program has parts of others in it; their licences are in
 third-party-licenses.txt.gz.

Files: *
Copyright: %s
License: %s
`, home, strings.TrimPrefix(holder, "Copyright (c) "), strings.TrimSuffix(title, " License"))
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	return []byte(b.String())
}
