package daemon

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/refresh"
)

// startPatience is how long a status waits for a keyring that has not answered
// since the daemon's start.
const startPatience = 3 * time.Second

// Status implements [localapi.Backend].
func (d *Daemon) Status(ctx context.Context) (localapi.Status, <-chan struct{}) {
	d.windows.seen(localapi.DisplayOf(ctx))
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	_ = d.ready(ctx) // what is wrong with the keyring is part of the picture
	return d.picture()
}

// picture is what is known now, and a channel that closes when it changes.
func (d *Daemon) picture() (localapi.Status, <-chan struct{}) {
	d.mu.Lock()
	changed := d.changed // taken first: a change during the look must not be lost
	d.mu.Unlock()
	picture := d.engine.Status()
	questions := d.desk.Questions()
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.config
	st := localapi.Status{
		Schema: 1,
		Daemon: localapi.DaemonStatus{
			PID: os.Getpid(), Version: d.Version, Started: d.started.UTC().Truncate(time.Second), ConfigError: configError(d.cfgErr), FilesError: localapi.WireError(d.sink.lost()),
			Config: c.Path, Credentials: first(c.Defaults.CredentialsFile, d.Paths.AWSCredentials), AWSConfig: first(c.Defaults.ConfigFile, d.Paths.AWSConfig),
			Locked:  d.locked,
			Keyring: localapi.KeyringStatus{Kind: d.keyring.kind, New: isNew(d.keyring.store), Error: localapi.WireError(d.keyring.err)},
		},
		Identities: []localapi.IdentityStatus{}, Profiles: []localapi.ProfileStatus{},
	}
	for _, name := range c.IdentityNames() {
		id, is := c.Identities[name], picture.Identities[name]
		s := localapi.IdentityStatus{
			Name: name, UserARN: optional(d.held[name].user), MFASerial: optional(id.MFASerial), TOTPStored: d.held[name].seed, State: string(is.State),
			SessionExpires: moment(is.Session.Expires), Error: localapi.WireError(is.Err),
		}
		if h := d.held[name]; h.asked {
			s.HasKey = &h.key
		}
		if !is.Session.IsZero() {
			s.SessionSeconds = wholeSeconds(is.Session.Lifetime())
		}
		s.KeyCreated, s.Rotation = d.rotations.status(name, d.held[name])
		if q, open := questions[name]; open {
			s.Prompt = &q
		}
		if is.State == "" { // the engine is not at work yet
			s.State, s.Error = string(refresh.StateFailing), localapi.WireError(d.keyring.err)
			if d.locked {
				s.State = string(refresh.StateLocked)
			}
		}
		st.Identities = append(st.Identities, s)
	}
	for _, name := range c.ProfileNames() {
		p := c.Profiles[name]
		s := localapi.ProfileStatus{Name: name, Identity: p.Identity, RoleARN: optional(p.RoleARN), SourceProfile: optional(p.SourceProfile), Write: p.Write, Mode: p.MFA}
		d.fill(&s, picture.Profiles[name])
		st.Profiles = append(st.Profiles, s)
	}
	return st, changed
}

// fill adds what the engine and the files know of a profile.
func (d *Daemon) fill(s *localapi.ProfileStatus, p refresh.ProfileStatus) {
	s.State, s.Via, s.NextRefresh = string(p.State), optional(string(p.Via)), moment(p.Next)
	s.Usable = p.Current.UsableAt(d.clock.Now())
	s.Error, s.Why, s.Warning = localapi.WireError(p.Err), optional(p.Why), localapi.WireError(p.Warning)
	if p.Known.Maximum > 0 {
		s.MaxSessionDuration = wholeSeconds(p.Known.Maximum)
	}
	if p.State == "" {
		s.State = string(refresh.StateWaiting)
	}
	if !p.Current.IsZero() {
		s.Expires, s.DurationSeconds = moment(p.Current.Expires), wholeSeconds(p.Current.Lifetime())
	} else {
		s.Via = nil
	}
	if e := d.sink.warning(s.Name); e != nil && s.Warning == nil {
		s.Warning = localapi.WireError(e)
	}
	if e := d.sink.conflict(s.Name); e != nil {
		s.State, s.Error = string(refresh.StateConflict), localapi.WireError(e)
	}
}

// outcome is what a login or refresh reports: of an identity's profiles, of the
// named ones, or of all.
func (d *Daemon) outcome(identity string, names ...string) localapi.Outcome {
	st, _ := d.picture()
	out := localapi.Outcome{Identity: identity, Profiles: []localapi.ProfileOutcome{}}
	for _, id := range st.Identities {
		if id.Name == identity {
			out.SessionExpires = id.SessionExpires
		}
	}
	for _, p := range st.Profiles {
		if (identity == "" || p.Identity == identity) && (len(names) == 0 || slices.Contains(names, p.Name)) {
			out.Profiles = append(out.Profiles, localapi.ProfileOutcome{
				Name: p.Name, State: p.State, Via: p.Via, Expires: p.Expires, Error: p.Error, Warning: p.Warning})
		}
	}
	return out
}

func wholeSeconds(d time.Duration) *int {
	n := int(d.Round(time.Second) / time.Second)
	return &n
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// moment gives a time to the second, as AWS does; nil for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

var _ localapi.Backend = (*Daemon)(nil)
