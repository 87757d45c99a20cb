package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/mfad/mfad/scripts/building"
)

// home is where mfad is at home.
const home = "https://github.com/mfad/mfad"

// release is what the files of a release have in common.
type release struct {
	version string    // as in a tag, without the v: 1.2.3, 1.3.0-rc.1
	date    time.Time // of everything in it
	url     string    // the folder from which its files are fetched
	out     string    // the folder in which they are made
	work    string    // a folder that is removed at the end
}

// target is a system that mfad is built for, in Go's words.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

func allTargets() []string {
	return []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
}

func parseTargets(list string) ([]target, error) {
	var all []target
	for name := range strings.SplitSeq(list, ",") {
		goos, arch, ok := strings.Cut(strings.TrimSpace(name), "/")
		if !ok || goos == "" || arch == "" {
			return nil, fmt.Errorf("%q is no system: use one such as %s", name, allTargets()[0])
		}
		all = append(all, target{goos, arch})
	}
	return all, nil
}

// newRelease finds out the version and the date of what is in the working tree, if
// they are not given. The date is in SOURCE_DATE_EPOCH
// (https://reproducible-builds.org/specs/source-date-epoch/), else the last commit's.
func newRelease(ctx context.Context, version, url string, getenv func(string) string) (*release, error) {
	r := &release{version: strings.TrimPrefix(version, "v")}
	if r.version == "" {
		var err error
		if r.version, err = describe(ctx); err != nil {
			return nil, err
		}
	}
	if !versions.MatchString(r.version) {
		return nil, fmt.Errorf("%q is no version: use one such as 1.2.3 or 1.3.0-rc.1", version)
	}
	epoch := getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		var err error
		if epoch, err = git(ctx, "log", "-1", "--format=%ct"); err != nil {
			return nil, fmt.Errorf("%w; give the date in SOURCE_DATE_EPOCH", err)
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read SOURCE_DATE_EPOCH: %w", err)
	}
	r.date = time.Unix(seconds, 0).UTC()
	if r.url = strings.TrimSuffix(url, "/"); r.url == "" {
		r.url = home + "/releases/download/v" + r.version
	}
	return r, nil
}

// versions are those of Semantic Versioning (https://semver.org), without what the
// versions of packages have no room for.
var versions = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?(\+[0-9A-Za-z.]+)?$`)

// describe gives the version of the working tree, by its tags.
func describe(ctx context.Context) (string, error) {
	told, err := git(ctx, "describe", "--tags", "--long", "--dirty", "--match=v[0-9]*")
	if err == nil {
		return versionOf(told)
	}
	commits, err := git(ctx, "rev-list", "--count", "HEAD")
	if err != nil {
		return "", fmt.Errorf("%w; give the version with -version", err)
	}
	commit, err := git(ctx, "describe", "--always", "--dirty")
	if err != nil {
		return "", err
	}
	return versionOf("v0.0.0-" + commits + "-g" + commit)
}

// described is a tag, the commits since, the last one of these, and whether the tree
// was changed since.
var described = regexp.MustCompile(`^v(.+)-([0-9]+)-g([0-9a-f]+)(-dirty)?$`)

// versionOf makes a version of what `git describe --long` tells. One between two tags
// is newer than the first of them, in packages too.
func versionOf(told string) (string, error) {
	m := described.FindStringSubmatch(told)
	if m == nil {
		return "", fmt.Errorf("git describes the tree as %q", told)
	}
	tag, commits, commit, dirty := m[1], m[2], m[3], m[4] != ""
	var more []string
	if commits != "0" {
		more = append(more, commits, "g"+commit)
	}
	if dirty {
		more = append(more, "dirty")
	}
	if len(more) == 0 {
		return tag, nil
	}
	return tag + "+" + strings.Join(more, "."), nil
}

func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], said(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// said adds to a program's failure what it wrote on stderr.
func said(err error) error {
	if e, ok := errors.AsType[*exec.ExitError](err); ok && len(e.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(e.Stderr)))
	}
	return err
}

// packageVersion is the version as Debian and RPM order it: a tilde sorts before the
// end, so a candidate is older than what it is a candidate for (deb-version(7)).
func (r *release) packageVersion() string { return strings.Replace(r.version, "-", "~", 1) }

// make makes all files.
func (r *release) make(ctx context.Context, targets []target) error {
	tell("the manual and completions")
	texts, err := r.texts(ctx)
	if err != nil {
		return err
	}
	archives := map[target]string{} // their checksums
	for _, t := range targets {
		tell(t.String())
		if archives[t], err = r.makeFor(ctx, t, texts); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	if err := r.writeRecipes(archives); err != nil {
		return err
	}
	return r.writeSums()
}

func tell(what string) { fmt.Fprintln(os.Stderr, "--- "+what) }

// makeFor makes the files for one system, and gives the checksum of its archive.
func (r *release) makeFor(ctx context.Context, t target, texts *texts) (string, error) {
	path, err := r.build(ctx, t)
	if err != nil {
		return "", err
	}
	p, err := open(ctx, path)
	if err != nil {
		return "", err
	}
	if err := r.writeBill(t, p); err != nil {
		return "", err
	}
	if t.os == "linux" {
		for _, kind := range []packager{deb, rpm} {
			if err := r.writePackage(ctx, kind, t, p, texts); err != nil {
				return "", err
			}
		}
	}
	return r.writeArchive(t, p, texts)
}

// build makes the program for a system, once.
func (r *release) build(ctx context.Context, t target) (string, error) {
	path := filepath.Join(r.work, t.os+"_"+t.arch, "mfad")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	return path, building.Release(ctx, path, "v"+r.version, t.os, t.arch)
}

// here is the system that this program runs on.
func here() target { return target{runtime.GOOS, runtime.GOARCH} }

// write makes a file of the release.
func (r *release) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(r.out, name), data, 0o644)
}
