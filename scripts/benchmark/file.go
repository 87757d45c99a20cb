package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gopkg.in/ini.v1"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
)

const (
	fileSections = 1000
	filePairs    = 20
	tokenLength  = 1400 // about what AWS's session tokens have
)

// measureFile compares mfad's way to change a large credentials file, which keeps
// every foreign byte, with that of a simple program, which reads and writes all of
// it with an INI library. Both work in memory, where a sync costs nothing.
func measureFile(ctx context.Context) (_ []figure, err error) {
	dir, err := os.MkdirTemp("/dev/shm", "mfad-bench-")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // no such system
	} else if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	f := &credfile.Files{Credentials: filepath.Join(dir, "credentials"), Config: filepath.Join(dir, "config")}
	plain := filepath.Join(dir, "plain")
	if _, err := f.Apply(ctx, sections(fileSections, 0), nil); err != nil {
		return nil, err
	}
	if err := f.Flush(ctx); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(f.Credentials)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(plain, content, 0o600); err != nil {
		return nil, err
	}
	var figures []figure
	for _, part := range []struct {
		changed int
		name    string
		limit   float64
	}{
		{1, fmt.Sprintf("one section of %d (%.1f MB) rewritten in memory", fileSections, float64(len(content))/1e6), 10},
		{fileSections, "— all of them, in one write", 50},
	} {
		round := 0
		mfad := func() (time.Duration, error) {
			round++
			return applied(ctx, f, sections(part.changed, round))
		}
		simple := func() (time.Duration, error) { return rewritten(plain, sections(part.changed, round)) }
		turns, err := inTurns(filePairs, mfad, simple)
		if err != nil {
			return nil, err
		}
		line := turns.figure(part.name, "read and written whole by gopkg.in/ini.v1")
		line.limit = quantity{part.limit, milliseconds}
		figures = append(figures, line)
	}
	return figures, nil
}

// sections are mfad's, with credentials of that round.
func sections(n, round int) []credfile.Section {
	all := make([]credfile.Section, n)
	for i := range all {
		name := fmt.Sprintf("profile%03d", i)
		all[i] = credfile.Section{Name: name, Profile: name, Credentials: creds.Credentials{
			AccessKeyID: fmt.Sprintf("ASIAEXAMPLE%09d", i), SecretAccessKey: creds.NewSecret("not a secret"),
			SessionToken: creds.NewSecret(fmt.Sprint(strings.Repeat("t", tokenLength), round)),
			Expires:      time.Now().Add(time.Hour),
		}}
	}
	return all
}

// applied times one write of mfad's. The file was left alone for a while, as in
// life: a file that changed just now is read until it holds still.
func applied(ctx context.Context, f *credfile.Files, s []credfile.Section) (time.Duration, error) {
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(f.Credentials, old, old); err != nil {
		return 0, err
	}
	begin := time.Now()
	r, err := f.Apply(ctx, s, nil)
	took := time.Since(begin)
	if err == nil && (!r.Written || len(r.Conflicts) > 0) {
		err = fmt.Errorf("nothing was written: %v", r.Conflicts)
	}
	return took, errors.Join(err, f.Flush(ctx)) // what follows a write waits for nobody
}

// rewritten times the simple program's write.
func rewritten(path string, s []credfile.Section) (time.Duration, error) {
	begin := time.Now()
	file, err := ini.Load(path)
	if err != nil {
		return 0, err
	}
	for _, one := range s {
		keys := file.Section(one.Name)
		keys.Key("aws_access_key_id").SetValue(one.Credentials.AccessKeyID)
		keys.Key("aws_secret_access_key").SetValue(one.Credentials.SecretAccessKey.Reveal())
		keys.Key("aws_session_token").SetValue(one.Credentials.SessionToken.Reveal())
	}
	if err := errors.Join(file.SaveTo(path+".new"), os.Rename(path+".new", path)); err != nil {
		return 0, err
	}
	return time.Since(begin), nil
}
