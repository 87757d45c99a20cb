package credfile

import (
	"context"
	"io/fs"
	"strings"

	"github.com/mfad/mfad/pkg/inifile"
)

// View is one of AWS's files as it is, for who wants to tell what stands there.
type View struct {
	Path   string
	Exists bool
	Mode   fs.FileMode // of the file that the path leads to; zero if there is none

	// Err is why botocore, and so the AWS CLI, reads nothing of the file: a
	// [creds.Error] with [creds.CodeConflict] that names FILE:LINE and has the fix
	// as its hint; or the failure to read it at all. Nil: every section is read.
	Err error

	// Profiles are the sections that some tool knows as a profile, in the file's
	// order, by the name that botocore gives them, else the SDKs'. A file that
	// botocore refuses has those that could be made out.
	Profiles []ProfileView
	// Sessions are the names of the sections [sso-session NAME] of the AWS config.
	Sessions []string
}

// ProfileView is one section of a [View].
type ProfileView struct {
	Name   string
	Header string // as it stands, such as "[profile prod]"
	Keys   []KeyView
}

// KeyView is one key of a section. Value may be a secret.
type KeyView struct {
	Name, Value string
	Line        int
}

// Key gives the first key of that name.
func (p ProfileView) Key(name string) (KeyView, bool) {
	for _, k := range p.Keys {
		if k.Name == name {
			return k, true
		}
	}
	return KeyView{}, false
}

// View reads both files without changing anything. It waits, some seconds at
// most, for a program that is just writing one of them.
func (f *Files) View(ctx context.Context) (credentials, config View) {
	return f.view(ctx, f.Credentials), f.view(ctx, f.Config)
}

func (f *Files) view(ctx context.Context, path string) View {
	v := View{Path: path}
	s, err := f.look(ctx, path)
	if err != nil {
		v.Err = err
		return v
	}
	s.close()
	if s.info != nil {
		v.Exists, v.Mode = true, s.info.Mode()
	}
	d := newDocument(path, s.data, f.reading(path))
	v.Err = asError(d.refused)
	for i, section := range d.Sections {
		botocore, sdk := f.reading(path)(section.Lines[0].Full, d.Text(section.Lines[0]))
		if name, ok := strings.CutPrefix(section.Lines[0].Full, "sso-session "); ok && path == f.Config {
			v.Sessions = append(v.Sessions, strings.TrimSpace(name))
			continue
		}
		if botocore == "" {
			botocore = sdk
		}
		if botocore == "" {
			continue
		}
		p := ProfileView{Name: botocore, Header: d.label(i)}
		for _, l := range section.Lines {
			if l.Kind == inifile.Option {
				p.Keys = append(p.Keys, KeyView{l.Name, d.Value(l), l.Number})
			}
		}
		v.Profiles = append(v.Profiles, p)
	}
	return v
}
