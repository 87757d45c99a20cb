package daemon

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
)

// sink puts what the engine has where tools and a restart find it: into
// STATE/sessions and into AWS's two files.
type sink struct {
	d *Daemon

	writing sync.Mutex // held while the files are written; taken before mu

	mu        sync.Mutex
	open      *credfile.Files
	last      refresh.Saved
	conflicts map[string]*creds.Error // by profile
	left      map[string]*creds.Error // by profile: sections beside its own that mfad must not touch
	late      error                   // the last write of another program's that could not be taken over
	lateAt    time.Time
}

// lateShown is how long such a write is told: whoever made it may not look today.
const lateShown = 24 * time.Hour

// files gives the editor of these two files.
func (s *sink) files(credentials, config string) *credfile.Files {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil || s.open.Credentials != credentials || s.open.Config != config {
		s.open = &credfile.Files{Credentials: credentials, Config: config, Late: s.tooLate}
	}
	return s.open
}

// conflict tells what keeps a profile out of the files; nil: nothing.
func (s *sink) conflict(profile string) *creds.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conflicts[profile]
}

// warning tells what stands in the files for a profile beside its own section;
// nil: nothing.
func (s *sink) warning(profile string) *creds.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left[profile]
}

// tooLate tells of another program's write that could not be taken over.
func (s *sink) tooLate(err error) {
	s.d.Log.Error("another program wrote at the same time", "error", err, "hint", creds.HintOf(err))
	s.mu.Lock()
	s.late, s.lateAt = err, time.Now().Round(0)
	s.mu.Unlock()
	s.d.mu.Lock()
	s.d.changedLocked()
	s.d.mu.Unlock()
}

// lost is what tooLate told last, for a day; nil: nothing.
func (s *sink) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.lateAt) > lateShown {
		return nil
	}
	return s.late
}

// Publish implements [refresh.Sink].
func (s *sink) Publish(ctx context.Context, saved refresh.Saved) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	s.last = saved
	s.mu.Unlock()
	var kept error
	var keeping sync.WaitGroup
	keeping.Go(func() { kept = s.d.store.keep(s.unlessLocked(saved)) })
	err := s.write(ctx)
	keeping.Wait()
	return errors.Join(kept, err)
}

// rewrite brings the files in line again after something else changed.
func (s *sink) rewrite(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.write(ctx)
}

// forget takes everything back, at once.
func (s *sink) forget() error {
	err := s.Publish(context.Background(), s.noSecrets())
	if !s.d.store.open() { // no key yet to write the file with
		if gone := os.Remove(s.d.dir.Path("sessions")); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// noSecrets is what a lock leaves of what the engine published last.
func (s *sink) noSecrets() refresh.Saved {
	s.mu.Lock()
	defer s.mu.Unlock()
	return refresh.Saved{Roles: s.last.Roles, Refusals: s.last.Refusals}
}

// unlessLocked drops what an engine handed over just before it was locked.
func (s *sink) unlessLocked(saved refresh.Saved) refresh.Saved {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.d.locked {
		return refresh.Saved{Roles: saved.Roles, Refusals: saved.Refusals}
	}
	return saved
}

// write makes AWS's files hold what they should. The caller holds writing.
func (s *sink) write(ctx context.Context) error {
	c := s.d.conf()
	files := s.d.files(c)
	s.mu.Lock()
	saved := s.last
	s.mu.Unlock()
	saved = s.unlessLocked(saved)
	static, unserved, entries := s.wanted(c, saved)
	// Each look at a file waits until nobody else is writing it, so what can goes
	// on together.
	var conflicts map[string]*creds.Error
	var had []string
	var hadErr error
	var looks sync.WaitGroup
	looks.Go(func() { conflicts = files.Check(ctx, unserved, nil) })
	looks.Go(func() { had, hadErr = files.ManagedConfig(ctx) })
	credResult, credErr := s.credentials(ctx, files, static, unserved)
	looks.Wait()
	note := func(names []string, r credfile.Result, err error) {
		for name, e := range r.Conflicts {
			conflicts[name] = e
		}
		for _, name := range names {
			if err != nil && conflicts[name] == nil {
				conflicts[name] = asConflict(err)
			}
		}
	}
	confResult, confErr := credfile.Result{}, hadErr
	if hadErr == nil {
		// After the credentials file: a static section of mfad's own, just removed
		// there, would be in the way of credential_process.
		confResult, confErr = s.awsConfig(ctx, files, entries, had)
	}
	note(sectionNames(static), credResult, errors.Join(credErr, hadErr))
	note(processNames(entries), confResult, errors.Join(confErr, credErr))
	s.mu.Lock()
	s.conflicts, s.left = conflicts, credResult.Left
	s.mu.Unlock()
	s.d.mu.Lock()
	s.d.changedLocked()
	s.d.mu.Unlock()
	return errors.Join(unlessConflict(credErr), unlessConflict(confErr))
}

// unlessConflict drops what Status tells and only the user can mend.
func unlessConflict(err error) error {
	if creds.CodeOf(err) == creds.CodeConflict {
		return nil
	}
	return err
}

// wanted sorts the profiles: those with something to write, those that will have
// it, and the lines for the AWS config file.
func (s *sink) wanted(c *profile.Config, saved refresh.Saved) (static, unserved []credfile.Section, entries []credfile.Entry) {
	command := first(c.Defaults.Command, s.d.Command)
	for _, name := range c.ProfileNames() {
		p := c.Profiles[name]
		if p.Write == profile.WriteNone {
			continue
		}
		e := credfile.Entry{Name: p.Section, Profile: name, Region: p.Region, Output: p.Output}
		if p.Write == profile.WriteProcess {
			e.CredentialProcess = command + " credential-process --profile " + name
		} else if sp, ok := saved.Profiles[name]; ok {
			static = append(static, credfile.Section{Name: p.Section, Profile: name, Credentials: sp.Credentials})
		} else {
			unserved = append(unserved, credfile.Section{Name: p.Section, Profile: name, Credentials: placeholder()})
		}
		if e.CredentialProcess+e.Region+e.Output != "" {
			entries = append(entries, e)
		}
	}
	return static, unserved, entries
}

// placeholder stands for credentials to come, to find out whether they could be
// written. It is never written.
func placeholder() creds.Credentials {
	return creds.Credentials{AccessKeyID: "ASIA0000000000000000", SecretAccessKey: creds.NewSecret("none"),
		SessionToken: creds.NewSecret("none"), Expires: time.Unix(0, 0)}
}

// credentials writes the shared credentials file, without the sections of
// profiles that are gone or written elsewhere. While mfad is locked it empties
// the sections of the others too; one with keys of the user's stays mfad's.
func (s *sink) credentials(ctx context.Context, files *credfile.Files, static, unserved []credfile.Section) (credfile.Result, error) {
	if err := files.Recover(ctx); err != nil { // what a daemon that was killed left
		return credfile.Result{}, err
	}
	managed, err := files.Managed(ctx)
	if err != nil {
		return credfile.Result{}, err
	}
	s.d.mu.Lock()
	locked := s.d.locked
	s.d.mu.Unlock()
	wanted := append(sectionNames(static), sectionNames(unserved)...)
	put, remove := static, []string(nil)
	for _, m := range managed {
		if !slices.Contains(wanted, m.Profile) {
			remove = append(remove, m.Profile)
		} else if locked {
			put = append(put, credfile.Section{Name: m.Name, Profile: m.Profile})
		}
	}
	if len(put) == 0 && len(remove) == 0 {
		return credfile.Result{}, nil
	}
	return files.Apply(ctx, put, remove)
}

// awsConfig writes the AWS config file, without mfad's lines in other sections
// that had some.
func (s *sink) awsConfig(ctx context.Context, files *credfile.Files, entries []credfile.Entry, had []string) (credfile.Result, error) {
	want := map[string]bool{}
	for _, e := range entries {
		want[e.Name] = true
	}
	var remove []string
	for _, name := range had {
		if !want[name] {
			remove = append(remove, name)
		}
	}
	if len(entries) == 0 && len(remove) == 0 {
		return credfile.Result{}, nil
	}
	return files.ApplyConfig(ctx, entries, remove)
}

// close waits for what the files still have to look after.
func (s *sink) close() error {
	s.mu.Lock()
	files := s.open
	s.mu.Unlock()
	if files == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return files.Flush(ctx)
}

// asConflict shows why nothing could be written as the profiles' own trouble.
func asConflict(err error) *creds.Error {
	return &creds.Error{Code: creds.CodeConflict, Op: err.Error(), Hint: creds.HintOf(err)}
}

func sectionNames(sections []credfile.Section) []string {
	var names []string
	for _, s := range sections {
		names = append(names, s.Profile)
	}
	return names
}

// processNames are the profiles that only the AWS config file serves.
func processNames(entries []credfile.Entry) []string {
	var names []string
	for _, e := range entries {
		if e.CredentialProcess != "" {
			names = append(names, e.Profile)
		}
	}
	return names
}
