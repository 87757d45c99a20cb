package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/durable"
	"github.com/mfad/mfad/pkg/inifile"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/state"
)

// configCopy is the copy of the AWS config of one exec: a folder with the lock
// beside it. The folder's name is that of the profile added to the copy.
//
// Whoever has the lock owns the folder: mfad, then the process with the endpoint,
// as long as they live.
type configCopy struct {
	folder string
	name   string // of the profile
	lock   *os.File
}

// Files in the folder, and beside it. All but the first tell whoever takes the copy
// back what it is to be compared and merged with.
const (
	copyFile    = "config"
	baseFile    = "base"    // the copy as it was at first
	originFile  = "origin"  // the path of the user's file
	sectionFile = "section" // the name of the profile's own section there
	pidFile     = "pid"     // of the command
	lockSuffix  = ".lock"
	noteSuffix  = ".note" // what the next exec is to say
)

func (c *configCopy) path() string            { return filepath.Join(c.folder, copyFile) }
func (c *configCopy) file(name string) string { return filepath.Join(c.folder, name) }

// readAWSConfig reads the file that the user's tools would read; none is an empty
// one.
func (a *app) readAWSConfig() ([]byte, error) {
	_, path, err := profile.AWSFiles(a.getenv, a.home)
	if err != nil {
		return nil, err
	}
	unreadable := func(err error) error {
		return &creds.Error{Code: creds.CodeConfig, Op: "copy the AWS config for the command",
			Hint: "make it a file that you can read, or add --env", Err: err}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, unreadable(err)
	case info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0: // reading would wait, or take it away from another
		return nil, unreadable(errors.New(path + " is no file"))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(err)
	}
	return b, nil
}

// inherit fills in what mfad's config leaves open from the profile's own section
// of the AWS config: how AWS is reached, but never as whom.
func (p *execProfile) inherit(config []byte) {
	f := inifile.Scan(config)
	for _, s := range f.Sections {
		if !isSection(s, p.section) {
			continue
		}
		kept := false
		for _, l := range s.Lines {
			if l.Kind == inifile.Option {
				kept = isSetting(l.Name)
			}
			if kept && (l.Kind == inifile.Option || l.Kind == inifile.Continuation) {
				p.settings = append(p.settings, f.Text(l))
			}
		}
		if l, ok := s.Option("region"); ok && p.region == "" {
			p.region = f.Value(l)
		}
		if l, ok := s.Option("output"); ok && p.output == "" {
			p.output = f.Value(l)
		}
	}
}

// isSetting tells whether a key of a profile says how AWS is reached and nothing of
// credentials (AWS SDKs and Tools Reference Guide, "Settings reference"; AWS CLI User
// Guide, "Configuration and credential file settings"). A key that is not known may
// be about credentials. Region and output are mfad's config's first.
func isSetting(key string) bool {
	if strings.HasPrefix(key, "cli_") || strings.HasPrefix(key, "s3") || strings.HasPrefix(key, "sts_") {
		return true
	}
	switch key {
	case "ca_bundle", "services", "endpoint_url", "ignore_configured_endpoint_urls", "use_fips_endpoint", "use_dualstack_endpoint",
		"retry_mode", "max_attempts", "defaults_mode", "tcp_keepalive", "parameter_validation", "api_versions", "sdk_ua_app_id", "auth_scheme_preference",
		"request_min_compression_size_bytes", "disable_request_compression", "request_checksum_calculation", "response_checksum_validation",
		"sigv4a_signing_region_set", "account_id_endpoint_mode", "endpoint_discovery_enabled", "disable_host_prefix_injection":
		return true
	}
	return false
}

// isSection tells whether that is the section of the AWS config for a profile.
func isSection(s inifile.Section, profile string) bool {
	kind, name, _ := strings.Cut(strings.TrimSpace(s.Name), " ")
	name = strings.Trim(strings.TrimSpace(name), `"'`)
	return kind == "profile" && name == profile || kind == "default" && name == "" && profile == "default"
}

// ownSection is what the copy has besides: a profile without credentials, so that
// the SDKs go on to look for a container's.
func ownSection(name string, p execProfile, eol string) string {
	lines := []string{"", "[profile " + name + "]"}
	if p.region != "" {
		lines = append(lines, "region = "+p.region)
	}
	if p.output != "" {
		lines = append(lines, "output = "+p.output)
	}
	lines = append(lines, p.settings...)
	return strings.Join(lines, eol) + eol
}

// copyAWSConfig makes the copy for one run, and sees to those of runs that were
// killed.
func (a *app) copyAWSConfig(ctx context.Context, p execProfile) (*configCopy, error) {
	a.takeBackLeftovers(ctx) // before the file is read
	config, err := a.readAWSConfig()
	if err != nil {
		return nil, err
	}
	_, origin, err := profile.AWSFiles(a.getenv, a.home)
	if err != nil {
		return nil, err
	}
	root, err := a.execRoot()
	if err != nil {
		return nil, notCopied(err)
	}
	c, err := newCopy(root)
	if err != nil {
		return nil, notCopied(err)
	}
	whole := bytes.Clone(config)
	eol := inifile.Scan(config).EOL()
	if len(whole) > 0 && whole[len(whole)-1] != '\n' {
		whole = append(whole, eol...)
	}
	whole = append(whole, ownSection(c.name, p, eol)...)
	for name, text := range map[string][]byte{
		originFile: []byte(origin), sectionFile: []byte(p.section), pidFile: []byte(strconv.Itoa(os.Getpid())), baseFile: whole, copyFile: whole,
	} {
		if err := os.WriteFile(c.file(name), text, 0o600); err != nil {
			c.remove()
			return nil, notCopied(err)
		}
	}
	return c, nil
}

func notCopied(err error) error {
	return &creds.Error{Code: creds.CodeInternal, Op: "copy the AWS config for the command", Hint: "add --env to run without a copy", Err: err}
}

// execFolder is the name of the folder of all copies.
const execFolder = "exec"

// execRoots are the folders that may hold copies. The runtime folder that a variable
// names need not be there, nor be the user's: su leaves another one's.
func (a *app) execRoots() ([]string, error) {
	runtime, err := profile.RuntimeDir(a.getenv, a.home)
	if err != nil {
		return nil, err
	}
	roots := []string{filepath.Join(runtime, execFolder)}
	if dir, err := profile.StateDir(a.getenv, a.home); err == nil && dir != runtime {
		roots = append(roots, filepath.Join(dir, execFolder))
	}
	return roots, nil
}

// execRoot makes a folder for copies, closed to other users: the first that can be.
func (a *app) execRoot() (string, error) {
	roots, err := a.execRoots()
	if err != nil {
		return "", err
	}
	var failed error
	for _, root := range roots {
		err := state.Dir(filepath.Dir(root)).Ensure()
		if err == nil {
			err = state.Dir(root).Ensure()
		}
		if err == nil {
			return root, nil
		}
		failed = err
	}
	return "", failed
}

// newCopy makes an empty folder with a new name, and takes its lock first: what
// has no lock is a leftover.
func newCopy(root string) (*configCopy, error) {
	for {
		var random [8]byte
		_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
		name := execPrefix + hex.EncodeToString(random[:])
		lock, err := os.OpenFile(filepath.Join(root, name+lockSuffix), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		c := &configCopy{folder: filepath.Join(root, name), name: name, lock: lock}
		if taken, err := c.own(); err != nil {
			c.remove()
			return nil, err
		} else if !taken { // another exec took it for a leftover before it was locked
			_ = lock.Close()
			continue
		}
		if err := os.Mkdir(c.folder, 0o700); err != nil {
			c.remove()
			return nil, err
		}
		return c, nil
	}
}

// own takes the lock, unless another has it or removed its file meanwhile.
func (c *configCopy) own() (bool, error) {
	taken, err := durable.TryLock(c.lock)
	if !taken || err != nil {
		return false, err
	}
	mine, err := c.lock.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(c.folder + lockSuffix)
	return err == nil && os.SameFile(mine, there), nil
}

// remove removes the folder, then the lock. Where the folder cannot be removed the
// lock's file stays too: by it the next exec finds the folder.
func (c *configCopy) remove() {
	if os.RemoveAll(c.folder) != nil {
		_ = c.lock.Close()
		return
	}
	_ = os.Remove(c.folder + lockSuffix) // before it is let go of; Windows removes it after
	_ = c.lock.Close()
	_ = os.Remove(c.folder + lockSuffix)
}
