package cli

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/doctor"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
)

// filesOf gives AWS's files as the daemon uses them; without one, as it would.
func (a *app) filesOf(c *profile.Config, st *localapi.Status, paths daemon.Paths) *credfile.Files {
	f := &credfile.Files{Credentials: paths.AWSCredentials, Config: paths.AWSConfig}
	if c != nil {
		f.Credentials, f.Config = orElse(c.Defaults.CredentialsFile, f.Credentials), orElse(c.Defaults.ConfigFile, f.Config)
	}
	if st != nil {
		f.Credentials, f.Config = orElse(st.Daemon.Credentials, f.Credentials), orElse(st.Daemon.AWSConfig, f.Config)
	}
	return f
}

// lookAtFiles reads AWS's files, and tells which profiles they cannot serve.
func lookAtFiles(ctx context.Context, files *credfile.Files, c *profile.Config) (credentials, config credfile.View, conflicts map[string]*creds.Error) {
	type views struct {
		credentials, config credfile.View
		conflicts           map[string]*creds.Error
	}
	late := views{credentials: credfile.View{Path: files.Credentials, Err: slow("reading " + files.Credentials)}, config: credfile.View{Path: files.Config}}
	v := bounded(ctx, lookFiles, late, func(ctx context.Context) (v views) {
		v.credentials, v.config = files.View(ctx)
		if c != nil {
			static, process := wantedIn(c)
			v.conflicts = files.Check(ctx, static, process)
		}
		return v
	})
	return v.credentials, v.config, v.conflicts
}

// wantedIn gives what the daemon would write for each profile. The keys are made
// up: they are written nowhere.
func wantedIn(c *profile.Config) (static []credfile.Section, process []credfile.Entry) {
	madeUp := creds.Credentials{AccessKeyID: "ASIA0000000000000000", SecretAccessKey: creds.NewSecret("none"), SessionToken: creds.NewSecret("none")}
	for _, name := range c.ProfileNames() {
		switch p := c.Profiles[name]; p.Write {
		case profile.WriteCredentials:
			static = append(static, credfile.Section{Name: p.Section, Profile: name, Credentials: madeUp})
		case profile.WriteProcess:
			process = append(process, credfile.Entry{Name: p.Section, Profile: name,
				CredentialProcess: orElse(c.Defaults.Command, selfCommand()) + " credential-process --profile " + name})
		}
	}
	return static, process
}

// lookModes looks at the rights of what holds secrets, or leads to them.
func (a *app) lookModes(paths daemon.Paths, files *credfile.Files) []doctor.Mode {
	if runtime.GOOS == "windows" {
		return nil // rights are no bits there
	}
	var found []doctor.Mode
	add := func(path, what string, most fs.FileMode, lenient bool) {
		if info, err := os.Stat(path); err == nil {
			found = append(found, doctor.Mode{Path: path, What: what, Perm: info.Mode().Perm(), Want: most, Lenient: lenient})
		}
	}
	add(paths.State, "the state folder", 0o700, false)
	if entries, err := os.ReadDir(paths.State); err == nil {
		for _, e := range entries {
			if e.Type().IsRegular() {
				add(filepath.Join(paths.State, e.Name()), "mfad's file "+e.Name(), 0o600, false)
			}
		}
	}
	for _, socket := range a.client().Sockets {
		info, err := os.Lstat(socket)
		if err != nil || info.Mode()&fs.ModeSocket == 0 {
			continue
		}
		add(socket, "the socket", 0o600, false)
		if dir := filepath.Dir(socket); dir != paths.State {
			add(dir, "the socket's folder", folderMode(dir), false)
		}
	}
	add(files.Credentials, "AWS's credentials file", 0o600, false)
	add(files.Config, "AWS's config file", 0o600, true)
	for _, dir := range slices.Compact([]string{filepath.Dir(files.Credentials), filepath.Dir(files.Config)}) {
		if filepath.Base(dir) == ".aws" {
			add(dir, "AWS's folder", 0o700, true)
		}
	}
	return found
}

// folderMode is the most that a socket's folder may have: one of mfad's own name
// is its own, any other must only not be written by others.
func folderMode(dir string) fs.FileMode {
	if filepath.Base(dir) == "mfad" {
		return 0o700
	}
	return 0o755
}

// usesTerraform tells whether Terraform's files lie in the folder at hand.
func usesTerraform() bool {
	if found, err := filepath.Glob("*.tf"); err == nil && len(found) > 0 {
		return true
	}
	_, err := os.Stat(".terraform")
	return err == nil
}
