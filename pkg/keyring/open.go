package keyring

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"

	"github.com/mfad/mfad/pkg/creds"
)

// Kind says which keyring to use, as MFAD_KEYRING and the config spell it.
type Kind string

// The kinds. The empty Kind means KindAuto.
const (
	KindAuto Kind = "auto"
	KindOS   Kind = "os"
	KindFile Kind = "file"
)

// FileName is the name of the [File] keyring's file in the state folder.
const FileName = "keyring.age"

// Options say what to open.
type Options struct {
	Kind     Kind
	StateDir string // absolute path of the state folder; need not exist
	// Used tells that something is stored under a key from a keyring. Without a file
	// that was the system's, and it may only be away.
	Used bool
}

// Keyring is the [Store] that [Open] chose. Exactly one of OS and File is set:
// they are unlocked in different ways.
type Keyring struct {
	Store
	OS   *OS
	File *File
	// Reason says in a few words why this one, for status and doctor.
	Reason string
}

// Kind is KindOS or KindFile.
func (k *Keyring) Kind() Kind {
	if k.File != nil {
		return KindFile
	}
	return KindOS
}

// Open chooses the keyring. [KindOS] and [KindFile] are taken at their word and
// nothing is tried. [KindAuto] is, in this order:
//
//  1. the file, where StateDir holds one: it was made because there was no OS
//     keyring, and what it holds must not vanish because there is one today;
//  2. the OS keyring, where one answers, even if it is locked, or is there and
//     hangs: it may hold the keys;
//  3. the OS keyring all the same, where Used says that it was there before: a new
//     file would hide what it holds;
//  4. the file: also where a Secret Service runs that holds no keyring yet,
//     since only a desktop could make one.
//
// The choice holds until Open is called again; it takes 2 seconds at most. The
// only errors are [creds.CodeConfig] for another Kind and ctx's end.
func Open(ctx context.Context, o Options) (*Keyring, error) {
	return choose(ctx, o, NewOS())
}

func choose(ctx context.Context, o Options, system *OS) (*Keyring, error) {
	file := NewFile(filepath.Join(o.StateDir, FileName))
	useFile := func(reason string) *Keyring { return &Keyring{Store: file, File: file, Reason: reason} }
	useOS := func(reason string) *Keyring { return &Keyring{Store: system, OS: system, Reason: reason} }
	switch o.Kind {
	case KindOS:
		return useOS("chosen by the user"), nil
	case KindFile:
		return useFile("chosen by the user"), nil
	case KindAuto, "":
	default:
		return nil, &creds.Error{
			Code: creds.CodeConfig,
			Op:   "choose the keyring",
			Hint: "use auto, os or file",
			Err:  errors.New("unknown keyring " + strconv.Quote(string(o.Kind))),
		}
	}
	if file.Exists() {
		return useFile("the keyring file exists"), nil
	}
	err := system.Check(ctx)
	if ctx.Err() != nil {
		return nil, named("choose the keyring", ctx.Err())
	}
	switch {
	case err == nil:
		return useOS("the system's keyring answers"), nil
	case errors.Is(err, errNoCollection) && !o.Used:
		return useFile(errNoCollection.Error()), nil
	case creds.CodeOf(err) == creds.CodeKeyringLocked:
		return useOS("the system's keyring answers, locked"), nil
	case creds.CodeOf(err) == creds.CodeKeyringTimeout:
		return useOS("the system's keyring is there but does not answer"), nil
	case o.Used:
		return useOS("the system's keyring was used before, and is away"), nil
	}
	return useFile("the system has no usable keyring"), nil
}
