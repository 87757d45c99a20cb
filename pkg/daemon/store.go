package daemon

import (
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
	"github.com/mfad/mfad/pkg/refresh"
	"github.com/mfad/mfad/pkg/state"
)

// codeLife is how long a code that was sent is remembered. It is valid for a
// step of 30 s and AWS allows for some drift; later the same six digits are a
// new code.
const codeLife = 5 * time.Minute

// store keeps the sessions file up to date. Until use it keeps nothing.
type store struct {
	log *slog.Logger
	dir state.Dir

	mu    sync.Mutex // guards all below, and the files
	file  *state.Sessions
	saved state.Saved
	roles map[string]plan.Known  // as they stand in the folder
	sent  map[sentCode]time.Time // since this start; the file has each device's last
}

// sentCode is a code that was sent, by its keyed hash.
type sentCode struct{ serial, mac string }

// open tells whether there is a file.
func (s *store) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file != nil
}

// use reads what a former run left. A file that cannot be read is set aside by
// package state; the daemon goes on without it.
func (s *store) use(f *state.Sessions) {
	saved, err := f.Load()
	if err != nil {
		s.log.Error("the stored sessions are lost", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file, s.saved = f, saved
	if s.saved.Devices == nil {
		s.saved.Devices = map[string]state.Device{}
	}
	roles, err := s.dir.LoadRoles()
	if err != nil {
		s.log.Error("what was learned of roles is lost, and is learned again", "error", err)
	}
	s.roles = map[string]plan.Known{}
	for arn, r := range roles {
		s.roles[arn] = plan.Known(r)
	}
}

// restored is what a former run left, in the engine's terms.
func (s *store) restored() refresh.Saved {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := refresh.Saved{Sessions: map[string]refresh.SavedSession{}}
	for key, c := range s.saved.Sessions {
		name, fingerprint, _ := strings.Cut(key, " ")
		r.Sessions[name] = refresh.SavedSession{Credentials: c, Fingerprint: fingerprint}
	}
	r.Profiles, r.Spare, r.Roles = restoredProfiles(s.saved.Profiles), restoredProfiles(s.saved.Spare), maps.Clone(s.roles)
	for _, x := range s.saved.Refusals {
		r.Refusals = append(r.Refusals, refresh.Refusal{Time: x.Time, Identity: x.Identity, Profile: x.Profile, RoleARN: x.RoleARN, Call: refresh.RefusedCall(x.Call),
			Code: x.Code, Message: x.Message, Hint: x.Hint, Fingerprint: x.Fingerprint})
	}
	return r
}

func restoredProfiles(saved map[string]state.SavedProfile) map[string]refresh.SavedProfile {
	r := map[string]refresh.SavedProfile{}
	for name, x := range saved {
		r[name] = refresh.SavedProfile{Credentials: x.Credentials, Via: refresh.Via(x.Via), Fingerprint: x.Fingerprint}
	}
	return r
}

func savedProfiles(have map[string]refresh.SavedProfile) map[string]state.SavedProfile {
	r := map[string]state.SavedProfile{}
	for name, x := range have {
		r[name] = state.SavedProfile{Credentials: x.Credentials, Via: string(x.Via), Fingerprint: x.Fingerprint}
	}
	return r
}

// keep stores what the engine has.
func (s *store) keep(r refresh.Saved) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved.Sessions = map[string]creds.Credentials{}
	for name, x := range r.Sessions {
		s.saved.Sessions[name+" "+x.Fingerprint] = x.Credentials // a name has no blank
	}
	s.saved.Profiles, s.saved.Spare, s.saved.Refusals = savedProfiles(r.Profiles), savedProfiles(r.Spare), nil
	for _, x := range r.Refusals {
		s.saved.Refusals = append(s.saved.Refusals, state.Refusal{Time: x.Time, Identity: x.Identity, Profile: x.Profile, RoleARN: x.RoleARN, Call: string(x.Call),
			Code: x.Code, Message: x.Message, Hint: x.Hint, Fingerprint: x.Fingerprint})
	}
	return errors.Join(s.flushLocked(), s.keepRolesLocked(r.Roles))
}

// keepRolesLocked stores what was learned of roles, if it is anything new. A lock,
// which forgets all credentials, forgets none of it.
func (s *store) keepRolesLocked(roles map[string]plan.Known) error {
	if s.file == nil || roles == nil || maps.Equal(roles, s.roles) {
		return nil
	}
	all := map[string]state.Role{}
	for arn, k := range roles {
		all[arn] = state.Role(k)
	}
	if err := s.dir.SaveRoles(all); err != nil {
		return err
	}
	s.roles = maps.Clone(roles)
	return nil
}

// addDirect stores credentials that came with a code, at once.
func (s *store) addDirect(p refresh.Profile, c creds.Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved.Spare == nil {
		s.saved.Spare = map[string]state.SavedProfile{}
	}
	s.saved.Spare[p.Name] = state.SavedProfile{Credentials: c, Via: string(refresh.ViaDirect), Fingerprint: p.Fingerprint}
	if err := s.flushLocked(); err != nil {
		s.log.Error("store the sessions", "error", err)
	}
}

// add stores a session that was just started, without waiting for what is fetched
// with it.
func (s *store) add(id refresh.Identity, c creds.Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved.Sessions == nil {
		s.saved.Sessions = map[string]creds.Credentials{}
	}
	s.saved.Sessions[id.Name+" "+id.Fingerprint] = c
	if err := s.flushLocked(); err != nil {
		s.log.Error("store the sessions", "error", err)
	}
}

func (s *store) flushLocked() error {
	if s.file == nil {
		return nil
	}
	return s.file.Save(s.saved)
}

// spend notes, durably, that a code is about to be sent. A code that was sent
// before is refused: AWS would refuse it too, and count that. Unspend takes the
// note back, for a request that never left this machine.
func (s *store) spend(serial string, code creds.Secret, t time.Time) (unspend func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil, &creds.Error{Code: creds.CodeKeyringLocked, Op: "the keyring is not open yet", Hint: "run: mfad unlock"}
	}
	mac := s.file.CodeMAC(serial, code.Reveal())
	used, ok := s.saved.Devices[serial]
	again := ok && mac != "" && used.CodeMAC == mac && t.Sub(time.Unix(used.Step*30, 0)).Abs() < codeLife
	if at, ok := s.sent[sentCode{serial, mac}]; again || ok && t.Sub(at).Abs() < codeLife {
		return nil, &creds.Error{Code: creds.CodeMFAUsedCode, Op: "this code was used already, and AWS takes each only once",
			Hint: "wait for the next code"}
	}
	if s.sent == nil {
		s.sent = map[sentCode]time.Time{}
	}
	maps.DeleteFunc(s.sent, func(_ sentCode, at time.Time) bool { return t.Sub(at).Abs() >= codeLife })
	s.sent[sentCode{serial, mac}] = t
	s.saved.Devices[serial] = state.Device{Step: t.Unix() / 30, CodeMAC: mac}
	if err := s.flushLocked(); err != nil { // it will not be sent
		s.forgetCodeLocked(serial, mac, used)
		return nil, err
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forgetCodeLocked(serial, mac, used)
		if err := s.flushLocked(); err != nil {
			s.log.Error("store the sessions", "error", err)
		}
	}, nil
}

// forgetCodeLocked takes back that a code was sent; before is the device's record
// of the one before it.
func (s *store) forgetCodeLocked(serial, mac string, before state.Device) {
	delete(s.sent, sentCode{serial, mac})
	if s.saved.Devices[serial].CodeMAC != mac {
		return // another code of the device was sent meanwhile
	}
	if s.saved.Devices[serial] = before; before == (state.Device{}) {
		delete(s.saved.Devices, serial)
	}
}
