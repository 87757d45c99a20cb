package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
)

// checkIdentities tells of keys, devices and sessions.
func checkIdentities(p Picture) []Finding {
	if p.Config == nil {
		return nil
	}
	var found []Finding
	for _, name := range p.Config.IdentityNames() {
		if p.Profile != "" && p.Config.Profiles[p.Profile].Identity != name {
			continue
		}
		id := p.Config.Identities[name]
		f := Finding{Check: "identity", Level: OK, Identity: name, What: "identity " + name + ": " + device(id)}
		st := p.identityStatus(name)
		if st != nil {
			f = judgeIdentity(f, id, *st)
		}
		if found = append(found, f); st != nil {
			found = append(found, p.judgeKey(name, *st)...)
		}
	}
	return found
}

// device says how an identity proves who it is.
func device(id *profile.Identity) string {
	switch {
	case id.Type != profile.TypeKey:
		return "federated (" + id.Type + "), needs no device"
	case id.MFAProcess != "":
		return "device " + id.MFASerial + ", codes from a program"
	}
	return "device " + id.MFASerial
}

func (p Picture) identityStatus(name string) *localapi.IdentityStatus {
	if p.Daemon.Status == nil {
		return nil
	}
	for i, s := range p.Daemon.Status.Identities {
		if s.Name == name {
			return &p.Daemon.Status.Identities[i]
		}
	}
	return nil
}

// judgeIdentity adds what the daemon knows.
func judgeIdentity(f Finding, id *profile.Identity, st localapi.IdentityStatus) Finding {
	what := "identity " + id.Name
	switch {
	case id.Type == profile.TypeKey && st.HasKey != nil && !*st.HasKey:
		f.Level, f.What, f.Why, f.Fix = Fault, what, "the keyring does not hold its key", "mfad identity add "+id.Name
	case st.Error != nil && st.Error.Code == creds.CodeMFARequired, st.Error == nil && st.State == "mfa_required":
		f.Level, f.What, f.Why, f.Fix = Hint, what, "a code is needed: no session lives", "mfad login "+id.Name
	case st.Error != nil && st.Error.Code == creds.CodeLocked: // told of the daemon
	case st.Error != nil && isKeyring(st.Error.Code):
		f.Level, f.What, f.Why, f.Fix = Hint, what, "it waits for the keyring", "mend the keyring first"
	case st.Error != nil:
		f.Level, f.What, f.Why, f.Fix = Fault, what, st.Error.Message, orElse(st.Error.Hint, "mfad status "+id.Name)
	}
	return f
}

// isKeyring tells a failure that the keyring's own check tells.
func isKeyring(c creds.Code) bool {
	switch c {
	case creds.CodeKeyringLocked, creds.CodeKeyringAbsent, creds.CodeKeyringTimeout, creds.CodeKeyringFailed:
		return true
	}
	return false
}

// checkProfiles tells how each profile does.
func checkProfiles(p Picture) []Finding {
	var found []Finding
	for _, mine := range p.profiles() {
		st := p.profileStatus(mine.Name)
		found = append(found, judgeProfile(p, mine, st)...)
	}
	return found
}

func (p Picture) profileStatus(name string) *localapi.ProfileStatus {
	if p.Daemon.Status == nil {
		return nil
	}
	for i, s := range p.Daemon.Status.Profiles {
		if s.Name == name {
			return &p.Daemon.Status.Profiles[i]
		}
	}
	return nil
}

func judgeProfile(p Picture, mine *profile.Profile, st *localapi.ProfileStatus) []Finding {
	name := "profile " + mine.Name
	say := func(level Level, why, fix string) Finding {
		return Finding{Check: "profile", Level: level, Profile: mine.Name, What: name, Why: why, Fix: fix}
	}
	var found []Finding
	if e := p.Conflicts[mine.Name]; e != nil && !p.toldOfFiles(e.Error()) {
		found = append(found, say(Fault, e.Error(), orElse(e.Hint, "mfad exec "+mine.Name)))
	}
	if st == nil {
		return found
	}
	switch e := st.Error; {
	case p.toldOfIdentity(mine.Identity, e), e != nil && p.toldOfFiles(e.Message):
	case e == nil && !st.Usable && st.State == "waiting":
		found = append(found, say(Hint, "nothing was fetched for it yet", "mfad refresh "+mine.Name))
	case e == nil, e.Code == creds.CodeConflict && found != nil: // told just now
	case e.Code == creds.CodeMFARequired:
		found = append(found, say(Hint, e.Message, orElse(e.Hint, "mfad login "+mine.Identity)))
	default:
		found = append(found, say(Fault, e.Message, orElse(e.Hint, "mfad refresh "+mine.Name)))
	}
	if w := st.Warning; w != nil {
		found = append(found, say(Hint, w.Message, orElse(w.Hint, "mfad role "+mine.Name)))
	} else if most := seconds(st.MaxSessionDuration); most > 0 && mine.Duration > most {
		found = append(found, say(Hint, "duration = "+short(mine.Duration)+" is more than the role allows, "+short(most),
			"mfad role "+mine.Name+" --set-max-duration "+mine.Duration.String()))
	}
	if found == nil && st.Usable {
		found = one(Finding{Check: "profile", Level: OK, Profile: mine.Name, What: name + ": " + doing(p, mine, *st)})
	}
	return found
}

// toldOfIdentity tells whether what keeps a profile from credentials is what its
// identity's finding, the keyring's or the daemon's said already.
func (p Picture) toldOfIdentity(name string, e *localapi.Error) bool {
	id := p.identityStatus(name)
	needsCode := id != nil && id.State == "mfa_required"
	switch {
	case e == nil:
		return needsCode
	case e.Code == creds.CodeLocked, e.Code == creds.CodeKeyNotFound, isKeyring(e.Code):
		return true
	case e.Code == creds.CodeMFARequired:
		return needsCode && p.Profile == ""
	}
	return id != nil && id.Error != nil && *id.Error == *e
}

// toldOfFiles tells whether a conflict is that of a whole file.
func (p Picture) toldOfFiles(why string) bool {
	for _, err := range []error{p.Credentials.Err, p.AWSConfig.Err} {
		if err != nil && err.Error() == why {
			return true
		}
	}
	return false
}

// doing says how a profile that is well is served, and what its limits are.
func doing(p Picture, mine *profile.Profile, st localapi.ProfileStatus) string {
	parts := []string{st.State}
	if st.Expires != nil {
		parts = append(parts, short(st.Expires.Sub(p.Now))+" left")
	}
	if st.Via != nil && mine.Source == nil {
		parts = append(parts, "via "+*st.Via)
	}
	if mine.Source != nil {
		chain := mine.Name
		for at := mine.Source; at != nil; at = at.Source {
			chain = at.Name + " -> " + chain
		}
		parts = append(parts, "chain "+chain+", an hour at most")
	} else if most := seconds(st.MaxSessionDuration); most > 0 {
		parts = append(parts, "the role allows "+short(most))
	} else if mine.RoleARN != "" && mine.MFA == profile.MFADirect {
		parts = append(parts, "it is not known how long the role allows")
	}
	if id := p.Config.Identities[mine.Identity]; mine.MFAMaxAge > 0 && id != nil && mine.MFAMaxAge < id.SessionDuration {
		parts = append(parts, "a code every "+short(mine.MFAMaxAge)+" while it is in use")
	}
	return strings.Join(parts, ", ")
}

func seconds(n *int) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

// checkTerraform warns where a run would outlive its keys: programs that run do
// not read a rewritten section again.
func checkTerraform(p Picture) []Finding {
	if !p.Terraform || p.Inside != "" || p.Getenv == nil {
		return nil
	}
	name, variable := p.chosen()
	for _, mine := range p.profiles() {
		if mine.Section == name && mine.Write == profile.WriteCredentials {
			return one(Finding{Check: "terraform", Level: Hint, Profile: mine.Name, What: "Terraform with " + variable + "=" + name,
				Why: "programs that run never read a rewritten section again: an apply that outlives its credentials cannot save its state",
				Fix: "mfad exec " + mine.Name + " -- terraform apply, or write = process in [profile " + mine.Name + "]"})
		}
	}
	return nil
}

// checkBetter names what needs no long-term key at all.
func checkBetter(p Picture) []Finding {
	if p.Profile != "" || len(p.AWSConfig.Sessions) == 0 {
		return nil
	}
	return one(Finding{Check: "identity_center", Level: Hint, What: "IAM Identity Center",
		Why: "the AWS config has [sso-session " + strings.Join(p.AWSConfig.Sessions, "], [sso-session ") + "]: what it offers needs no long-term key, and neither does `aws login`; they are the better answer where they are allowed",
		Fix: "aws sso login --sso-session " + shellWord(p.AWSConfig.Sessions[0])})
}

// short writes a duration in its two largest units.
func short(d time.Duration) string {
	s := int((d + time.Second/2) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm", s/60)
	case s%3600/60 == 0:
		return fmt.Sprintf("%dh", s/3600)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}
