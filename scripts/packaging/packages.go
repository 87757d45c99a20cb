package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// revision counts the packages of one version.
const revision = "1"

// summary and description are what lists of packages show.
const (
	summary     = "MFA credential refresh for AWS"
	description = `One MFA code, and every AWS profile is fresh, in every tool, for as long as AWS
allows, without another question. A daemon of each user's keeps the long-term
key in the keyring, trades one code for a session, and renews the roles assumed
through it before they run out.

After the installation each user runs: mfad service install`
)

// packageConfig is nfpm's (https://nfpm.goreleaser.com/docs/configuration/). JSON is
// YAML, too.
type packageConfig struct {
	Name          string           `json:"name"`
	Arch          string           `json:"arch"`
	Platform      string           `json:"platform"`
	Version       string           `json:"version"`
	VersionSchema string           `json:"version_schema"`
	Release       string           `json:"release"`
	Section       string           `json:"section"`
	Priority      string           `json:"priority"`
	Maintainer    string           `json:"maintainer"`
	Description   string           `json:"description"`
	Homepage      string           `json:"homepage"`
	License       string           `json:"license"`
	MTime         time.Time        `json:"mtime"`
	NoGlobbing    bool             `json:"disable_globbing"`
	Recommends    []string         `json:"recommends"`
	Suggests      []string         `json:"suggests"`
	Contents      []packageContent `json:"contents"`
	Scripts       struct {
		PostInstall string `json:"postinstall"`
		PreRemove   string `json:"preremove"`
	} `json:"scripts"`
	RPM struct {
		BuildHost string `json:"buildhost"`
		Summary   string `json:"summary"`
		Packager  string `json:"packager"`
	} `json:"rpm"`
}

type packageContent struct {
	Source      string `json:"src,omitempty"`
	Destination string `json:"dst"`
	Type        string `json:"type,omitempty"`
	Info        struct {
		Owner string      `json:"owner"`
		Group string      `json:"group"`
		Mode  fs.FileMode `json:"mode"`
		MTime time.Time   `json:"mtime"`
	} `json:"file_info"`
}

// writePackage writes a package for a system.
func (r *release) writePackage(ctx context.Context, kind packager, t target, p *program, s *texts) error {
	files, err := r.packaged(kind, p, s)
	if err != nil {
		return err
	}
	dir := filepath.Join(r.work, fmt.Sprintf("%s_%s", kind, t.arch))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	config, err := r.config(kind, t, files, dir)
	if err != nil {
		return err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "nfpm.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile=scripts/tools/go.mod", "nfpm", "package",
		"--config", path, "--packager", string(kind), "--target", filepath.Join(r.out, r.packageName(kind, t)))
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.date.Unix(), 10))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nfpm: %w\n%s", err, out)
	}
	return nil
}

// packageName is by the custom of each kind.
func (r *release) packageName(kind packager, t target) string {
	if kind == rpm {
		return fmt.Sprintf("mfad-%s-%s.%s.rpm", r.packageVersion(), revision, map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[t.arch])
	}
	return fmt.Sprintf("mfad_%s-%s_%s.deb", r.packageVersion(), revision, t.arch)
}

// config describes a package, whose files it puts below dir.
func (r *release) config(kind packager, t target, files []file, dir string) (*packageConfig, error) {
	c := &packageConfig{Name: "mfad", Arch: t.arch, Platform: t.os, Version: r.packageVersion(), VersionSchema: "none", Release: revision,
		Section: "utils", Priority: "optional", Maintainer: maintainer, Description: summary + "\n" + description, Homepage: home, License: "MIT",
		MTime: r.date, NoGlobbing: true}
	c.relate(kind)
	c.RPM.BuildHost, c.RPM.Packager = "reproducible", maintainer
	if c.RPM.Summary = summary; kind == rpm {
		c.Description = description
	}
	for i, f := range byPath(files) {
		source := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(source, f.data, 0o644); err != nil {
			return nil, err
		}
		c.add(source, f, contentType(kind, f.path))
	}
	if kind == rpm { // folders that are nobody else's
		for _, own := range []string{"/usr/share/doc/mfad", "/usr/share/licenses/mfad"} {
			c.add("", file{path: own, mode: 0o755}, "dir")
		}
	}
	postinst, prerm := scripts(kind)
	c.Scripts.PostInstall, c.Scripts.PreRemove = filepath.Join(dir, "postinst"), filepath.Join(dir, "prerm")
	if err := os.WriteFile(c.Scripts.PostInstall, postinst, 0o755); err != nil {
		return nil, err
	}
	return c, os.WriteFile(c.Scripts.PreRemove, prerm, 0o755)
}

func (c *packageConfig) add(source string, f file, kind string) {
	one := packageContent{Source: source, Destination: f.path, Type: kind}
	one.Info.Owner, one.Info.Group, one.Info.Mode, one.Info.MTime = "root", "root", f.mode, c.MTime
	c.Contents = append(c.Contents, one)
}

// contentType marks for RPM what may be left out, and what must not be.
func contentType(kind packager, name string) string {
	switch dir := path.Dir(name); {
	case kind != rpm:
		return ""
	case strings.HasPrefix(dir, "/usr/share/licenses"):
		return "licence"
	case strings.HasPrefix(dir, "/usr/share/doc"):
		return "doc"
	}
	return ""
}

// relate names what mfad works best with. It needs nothing: the program is static.
// Without root certificates it reaches AWS only with a ca_bundle of the user's, and
// without a bus of the user's, which the systemd of the user's comes with, neither
// service nor keyring.
func (c *packageConfig) relate(kind packager) {
	c.Recommends = []string{"ca-certificates"}
	if kind == deb {
		c.Recommends = append(c.Recommends, "dbus-user-session")
	}
	c.Suggests = map[packager][]string{
		deb: {"awscli", "gnome-keyring | kwalletmanager | keepassxc", "zenity | kdialog | pinentry-gnome3 | pinentry-qt", "xdg-utils"},
		rpm: {"awscli2", "gnome-keyring", "zenity", "xdg-utils"},
	}[kind]
}
