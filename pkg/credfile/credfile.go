// Package credfile edits mfad's sections of AWS's two files, the shared
// credentials file and the config file, while other programs read and write
// them, and leaves every other byte as it is. It decides nothing about when
// credentials are due, and it never writes a long-term key ([Files.AddKey] and
// [Files.Release] are for users who ask for just that), never touches a section that
// holds one, and never writes to a file that botocore would refuse to read.
//
// # How a file is changed
//
// A reader sees the old file or the new one, whole: the new content goes to a
// temporary file beside the old one, is synced, and is renamed over it. The AWS
// CLI writes in place and takes no lock, so a change of its own is looked for
// right before the rename (then mfad starts over) and for a moment after it, in
// the file that was replaced (then what was written there is merged). Several
// mfad processes take turns by a lock on .mfad.lock in the file's folder.
//
// For that moment the replaced file has a second name, .mfad-NAME-DIGITS.old, and
// beside it is what it held when it was read, .mfad-NAME-DIGITS.base, both with
// the rights of the file and at most 0600. If mfad is killed, the next edit or
// [Files.Recover] merges what was written there since and removes both. From just
// before the rename until it, the file that everybody sees has two names; mfad
// does not take its own for a hard link of the user's. Where a file system has no
// hard links or locks, and on Windows, there is no second name: a kill in that
// moment then loses what another program writes to the replaced file.
//
// # What belongs to mfad
//
// In the credentials file a section that has the key mfad_profile, with the
// blank line before its header. In the config file the lines that the key
// mfad_keys of the same section names. Everything else is the user's, the other
// keys and all comments inside such a section included; these stay even when the
// section goes.
package credfile

import (
	"context"
	"sync"

	"github.com/mfad/mfad/pkg/creds"
)

// Section is what one section of the shared credentials file shall hold.
type Section struct {
	Name    string // the header; letters, digits and _./@+=,:- only
	Profile string // the value of mfad_profile: whose section this is

	// Credentials are temporary ones; a long-term key is refused. The zero value
	// means that there is nothing to serve: mfad's keys go, and the section with
	// them unless it has keys of the user's, which keep their header and
	// mfad_profile so that the section can be filled again.
	Credentials creds.Credentials

	// Extra are further keys to keep up to date after mfad's six, such as the
	// expiration that other tools look for. They stay when the section goes.
	Extra []Key

	// TakeOver allows a section in aws-mfa's layout, a temporary key beside
	// `expiration`, to become mfad's. One with a long-term key stays refused.
	TakeOver bool
}

// Key is one `name = value` line; Name is in lower case.
type Key struct{ Name, Value string }

// Entry is what mfad wants in one section of the AWS config file: [profile Name],
// or [default]. A line that is empty here is not wanted: it is removed if mfad
// added it.
type Entry struct {
	Name, Profile     string
	CredentialProcess string // a whole command line, as AWS reads it
	Region, Output    string // written only where the section has none of its own
}

// Result says what a call did.
type Result struct {
	// Written tells whether the file was replaced; false if it held all this.
	Written bool
	// Conflicts are the profiles that were left out, and why; each error has
	// [creds.CodeConflict], or [creds.CodeConfig] for a name or value that no INI
	// file can hold. Nil if there are none.
	Conflicts map[string]*creds.Error
	// Left are profiles of put of which a second section was found that mfad must
	// not touch: one with the profile's mfad_profile line and a long-term key, or
	// with a key of the user's that is tangled with mfad's. That section stays as it
	// is; the profile itself is served from its own, or is in Conflicts for another
	// reason. Nil if there are none.
	Left map[string]*creds.Error
}

// Files names AWS's two files and edits mfad's part of them.
//
// The paths are absolute and must not change after the first call. A path may be
// a symbolic link: the file that it points to is replaced, the link stays. All
// methods may be called at the same time, and several Files, in several
// processes, may name the same paths.
type Files struct {
	Credentials, Config string

	// Late, if it is set, gets each failure to take over what another program wrote
	// to a file at the moment in which mfad replaced it, as soon as it is known;
	// Flush gives the first of them once more. [creds.CodeTimeout] means that the
	// program has not ended its write, told once for each; mfad goes on trying at
	// later edits. Any other failure means that the write has to be repeated. Late
	// must not change after the first call, must not block and must not call the
	// methods of Files; it is called on any goroutine.
	Late func(error)

	mu      sync.Mutex
	seen    map[string]int             // size of each file when last read or written, by resolved path
	watches map[chan struct{}]struct{} // replaced files still looked at; closed when done
	failed  error                      // the first merge that failed since the last Flush
	waited  map[string]bool            // second names of files whose writer was told to be slow
}

// Apply makes the credentials file hold the sections put and none of the
// profiles named in remove, in one write. A section that one of put's profiles
// had under another name goes too.
//
// A profile that cannot be served is left out and reported in Result.Conflicts;
// the others are written. An error concerns all of them: [creds.CodeConflict]
// for a file that mfad must not write to, [creds.CodeTimeout] for one that never
// held still, the context's, or one of the file system's.
func (f *Files) Apply(ctx context.Context, put []Section, remove []string) (Result, error) {
	config, err := f.peek(ctx, f.Config)
	if err != nil {
		config = emptyDocument(f.Config) // told by Check; what the file says cannot be known
	}
	var r Result
	r.Written, err = f.edit(ctx, f.Credentials, func(d *document) (next []byte, err error) {
		var told Result
		next, told, err = planCredentials(d, config, put, remove)
		r.Conflicts, r.Left = told.Conflicts, told.Left
		return next, err
	})
	return r, err
}

// ApplyConfig makes the AWS config file hold the lines of put, and removes mfad's
// lines from the sections named in remove, in one write. The lines are told by
// `mfad_keys = …` beside them. A section that then holds no key at all goes, its
// comments stay. Errors are those of Apply.
func (f *Files) ApplyConfig(ctx context.Context, put []Entry, remove []string) (Result, error) {
	credentials, err := f.peek(ctx, f.Credentials)
	if err != nil {
		credentials = emptyDocument(f.Credentials)
	}
	var r Result
	r.Written, err = f.edit(ctx, f.Config, func(d *document) (next []byte, err error) {
		next, r.Conflicts, err = planConfig(d, credentials, put, remove)
		return next, err
	})
	return r, err
}

// Managed lists the sections of the credentials file that mfad owns, in the
// file's order, with what they hold. Credentials.Issued is not in the file and
// stays zero; a section that mfad emptied has zero Credentials. A section with a
// long-term key is not listed, whatever else it holds. No file means no section.
// Errors: [creds.CodeConflict] for a file that botocore refuses, and those of the
// file system.
func (f *Files) Managed(ctx context.Context) ([]Section, error) {
	d, err := f.peek(ctx, f.Credentials)
	if err != nil {
		return nil, err
	}
	if d.refused != nil {
		return nil, d.refused
	}
	var found []Section
	for i := range d.Sections {
		if s, ok := d.managed(i); ok {
			found = append(found, s)
		}
	}
	return found, nil
}

// Check tells, without writing, which of the wanted sections the files cannot
// serve, by profile, and why: each error has [creds.CodeConflict], names
// FILE:LINE where there is one, and has the fix as its hint; where a file cannot
// be read it has the code of that failure. An empty map means that Apply(static)
// and ApplyConfig(process) would serve all of them.
//
// More than Apply and ApplyConfig, Check looks at both files for all profiles:
// botocore reads both or none.
func (f *Files) Check(ctx context.Context, static []Section, process []Entry) map[string]*creds.Error {
	found := map[string]*creds.Error{}
	all := func(err error) {
		for _, s := range static {
			report(found, s.Profile, err)
		}
		for _, e := range process {
			report(found, e.Profile, err)
		}
	}
	credentials, err := f.peekChecked(ctx, f.Credentials)
	if err != nil {
		all(err)
		credentials = emptyDocument(f.Credentials)
	}
	config, err := f.peekChecked(ctx, f.Config)
	if err != nil {
		all(err)
		config = emptyDocument(f.Config)
	}
	if err := replaceable(f.Credentials); err != nil && len(static) > 0 {
		for _, s := range static {
			report(found, s.Profile, err)
		}
	}
	if err := replaceable(f.Config); err != nil && len(process) > 0 {
		for _, e := range process {
			report(found, e.Profile, err)
		}
	}
	_, told, err := planCredentials(credentials, config, static, nil)
	for _, s := range static {
		report(found, s.Profile, err)
		report(found, s.Profile, asError(told.Conflicts[s.Profile]))
	}
	_, conflicts, err := planConfig(config, credentials, process, nil)
	for _, e := range process {
		report(found, e.Profile, err)
		report(found, e.Profile, asError(conflicts[e.Profile]))
	}
	return found
}

// Flush waits until no replaced file has to be looked at any more, at most a
// few seconds after the last write, and gives the first failure to merge another
// program's late write since the last Flush. Call it before the process ends.
func (f *Files) Flush(ctx context.Context) error {
	for {
		f.mu.Lock()
		var one chan struct{}
		for w := range f.watches {
			one = w
			break
		}
		if one == nil {
			err := f.failed
			f.failed = nil
			f.mu.Unlock()
			return err
		}
		f.mu.Unlock()
		select {
		case <-one:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
