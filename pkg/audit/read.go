package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Filter says which records are wanted. The zero Filter wants all.
type Filter struct {
	Since   time.Time // from then on; zero: from the beginning
	Profile string    // of exactly this profile; empty: any
	Action  string    // of this action, in any case of letters; empty: any
}

// matches tells whether f wants r.
func (f Filter) matches(r Record) bool {
	return !r.Time.Before(f.Since) && (f.Profile == "" || f.Profile == r.Profile) &&
		(f.Action == "" || strings.EqualFold(f.Action, r.Action))
}

// Read gives the records of the log at path and of its rotated files that f
// wants, in the order in which they were written, oldest first. Lines that are no
// records, such as half of one that a kill or a full disk left, are skipped and
// counted, whatever f wants. It needs nobody's leave: a log that is being written
// or rotated is read without a gap. No log at all is no error; a file that cannot
// be read is [creds.CodeInternal].
func Read(path string, f Filter) (records []Record, damaged int, err error) {
	files, err := openAll(path)
	defer closeAll(files)
	for _, file := range files {
		if err != nil {
			break
		}
		var text []byte
		if text, err = io.ReadAll(file); err == nil {
			var bad int
			records, bad = scan(records, text, f)
			damaged += bad
		}
	}
	if err != nil {
		return nil, 0, &creds.Error{Code: creds.CodeInternal, Op: "read the audit log", Err: err}
	}
	return records, damaged, nil
}

// openAll opens the files of a log, and gives them oldest first.
func openAll(path string) ([]*os.File, error) {
	const tries = 100 // a rotation comes once in 4 MiB
	for range tries {
		files, moved, err := openOnce(path)
		if !moved {
			return files, err
		}
		closeAll(files)
	}
	return nil, errors.New("its files are rotated faster than they can be opened")
}

// openOnce is openAll, and tells whether files moved under it. A rotation moves
// each to the next slot: who opens the youngest first misses none, but meets one
// twice.
func openOnce(path string) (files []*os.File, moved bool, err error) {
	var infos []os.FileInfo
	for n := range keep + 1 {
		file, info, err := open(slot(path, n), os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return files, false, err
		}
		files = append(files, file)
		if slices.ContainsFunc(infos, func(i os.FileInfo) bool { return os.SameFile(i, info) }) {
			return files, true, nil
		}
		infos = append(infos, info)
	}
	slices.Reverse(files)
	return files, false, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// scan appends to records what f wants of a file's text.
func scan(records []Record, text []byte, f Filter) (_ []Record, damaged int) {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var r Record
		if err := json.Unmarshal(line, &r); err != nil || r.Action == "" {
			damaged++
			continue
		}
		if f.matches(r) {
			records = append(records, r)
		}
	}
	return records, damaged
}
