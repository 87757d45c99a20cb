package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/setup"
)

// origins are the keys that may be taken, and the identities whose keys were.
func (r *importRun) origins(ctx context.Context) ([]setup.Origin, error) {
	r.answers = setup.Answers{Write: profile.WriteCredentials, Command: r.processCommand()}
	var found []setup.Origin
	switch r.source {
	case fromAWSMFA:
		r.found = r.found.AWSMFA(r.told.suffixes)
		for _, k := range r.found.Keys {
			if k.Base != "" {
				found = append(found, setup.Origin{Key: k})
			}
		}
	case fromAWSConfig:
		r.found = r.found.AWSMFA(setup.Suffixes{})
		for _, k := range r.found.Keys {
			found = append(found, setup.Origin{Key: k})
		}
	case fromAWSVault:
		var err error
		if r.vault, err = r.openVault(); err != nil {
			return nil, err
		}
		names, err := r.vault.list(ctx)
		if err != nil {
			return nil, err
		}
		r.found = r.found.Vault(names)
		for _, k := range r.found.Keys {
			found = append(found, setup.Origin{Key: k})
		}
	}
	r.anyKey = len(found) > 0
	for _, name := range r.config.IdentityNames() { // those whose key came before
		if id := r.config.Identities[name]; id.Type == profile.TypeKey {
			found = append(found, setup.Origin{Identity: name, Device: []string{id.MFASerial}})
			r.anyKey, r.had = true, true
		}
	}
	return found, nil
}

// take decides what becomes of one key and its profiles. What only concerns this
// key is told, and the others go on.
func (r *importRun) take(ctx context.Context, o setup.Origin) error {
	o.RemoveKey = r.told.remove && o.Key.Profile != ""
	if rival := r.found.Rival(o.Key); rival != "" && r.source == fromAWSMFA && r.config.Profiles[o.Key.Base] == nil {
		if !r.wants(o.Key.Base) {
			return nil
		}
		r.leave(o.Key.Base, r.place(o.Key)+" claims it too, and "+rival, "rename one of the two sections, then run the command again")
		return nil
	}
	unfinished := r.unfinished(o)
	if len(r.mine(o))+len(unfinished) == 0 && !o.RemoveKey {
		return nil // no profile needs the key, or all are taken
	}
	s := r.setupRun
	s.answers.Origin, s.answers.Identity, s.answers.Serial, s.answers.Profiles, s.answers.Unfinished = o, o.Identity, "", nil, unfinished
	if o.Key.Profile != "" {
		if err := r.inspectKey(ctx); err != nil {
			return r.unlessItsOwn(ctx, err)
		}
	} else {
		s.answers.Serial = r.config.Identities[o.Identity].MFASerial
	}
	if r.source == fromAWSConfig && s.answers.Origin.Identity == "" && !slices.ContainsFunc(r.mine(o), func(c setup.Candidate) bool { return c.RoleARN != "" }) {
		return nil // no role needs the key
	}
	if err := r.choose(ctx); err != nil {
		return err
	}
	a := s.answers
	if len(a.Profiles)+len(a.Unfinished) == 0 && (a.Origin.Identity == "" || !a.Origin.RemoveKey) {
		return nil
	}
	r.taking = append(r.taking, a)
	r.remember(a)
	if k := a.Origin.Key; !k.Credentials.IsZero() {
		r.users[s.owner.ARN] = taken{a.Identity, a.Serial, k.Credentials.AccessKeyID}
	}
	return nil
}

// inspectKey gets a key that aws-vault has, and asks AWS whose it is.
func (r *importRun) inspectKey(ctx context.Context) (err error) {
	s := r.setupRun
	o := &s.answers.Origin
	if o.Key.Vault {
		if o.Key.Credentials, err = r.vault.export(ctx, o.Key.Profile); err != nil {
			return err
		}
	}
	if o.Key.Device == "" && r.source == fromAWSMFA {
		o.Key.Device = r.getenv("MFA_DEVICE") // as aws-mfa does
	}
	s.flags.identity, s.flags.serial, s.looseFlag = "", "", false
	for _, n := range r.told.names {
		if section, name, _ := strings.Cut(n, "="); section == o.Key.Profile || section == o.Key.Base {
			s.flags.identity = name
		}
	}
	for _, n := range r.told.serials {
		section, serial, ok := strings.Cut(n, "=")
		switch {
		case ok && (section == o.Key.Profile || section == o.Key.Base):
			s.flags.serial, s.looseFlag = serial, false
		case !ok && s.flags.serial == "":
			s.flags.serial, s.looseFlag = section, true
		}
	}
	if err := s.inspect(ctx); err != nil {
		return err
	}
	if awsapi.IsFIDO(s.answers.Serial) { // AWS did not tell of another
		return daemon.Owner{ARN: s.owner.ARN, FIDO: []string{s.answers.Serial}}.NoDevice()
	}
	if awsapi.IsFIDO(o.Key.Device) {
		r.note("%s names %s: AWS takes FIDO devices in the console only; %s is used", r.place(o.Key), o.Key.Device, s.answers.Serial)
	}
	have, again := r.users[s.owner.ARN]
	if again {
		o.Identity, s.answers.Identity, s.answers.Serial = have.identity, have.identity, have.serial
	}
	if again && have.keyID != "" && have.keyID != o.Key.Credentials.AccessKeyID {
		r.note("%s is another key of the same user; the keyring gets %s, and this one stays where it is", r.place(o.Key), shortKey(have.keyID))
		o.Key.Credentials, o.RemoveKey = creds.Credentials{}, false
	}
	return nil
}

// unlessItsOwn tells why one key cannot be taken, and ends the run for what would
// concern the next one too.
func (r *importRun) unlessItsOwn(ctx context.Context, err error) error {
	switch code := creds.CodeOf(err); {
	case ctx.Err() != nil, creds.IsTransient(err), code == creds.CodeCancelled, code == creds.CodeInterrupted, code == creds.CodeInternal, code == creds.CodeClockSkew:
		return err
	}
	if r.told.profiles != "all" && len(r.mine(r.answers.Origin)) == 0 {
		return nil // nobody asked for it
	}
	k := r.answers.Origin.Key
	r.leave(k.Profile, fmt.Sprintf("%s: %v", r.place(k), err), creds.HintOf(err))
	for _, c := range r.mine(r.answers.Origin) {
		r.asked[c.Profile] = true // for that reason
	}
	r.last = err
	return nil
}

// mine are the candidates of a key that this import is for, and that are wanted.
func (r *importRun) mine(o setup.Origin) []setup.Candidate {
	if o.Key.Profile == "" && r.source != fromAWSConfig {
		return nil // the others are for keys of theirs
	}
	all := r.found.Candidates(o, r.config)
	var chosen []setup.Candidate
	for _, c := range all {
		isBase := c.Profile == o.Key.Base // what aws-mfa serves
		if r.source != fromAWSVault && isBase != (r.source == fromAWSMFA) {
			continue
		}
		if !slices.Contains(r.offered, c.Profile) {
			r.offered = append(r.offered, c.Profile)
		}
		if r.wants(c.Profile) {
			chosen = append(chosen, c)
		}
	}
	return setup.Complete(chosen, all)
}

// unfinished are the wanted profiles of an identity that an earlier run has put into
// the config, and no more.
func (r *importRun) unfinished(o setup.Origin) []setup.Candidate {
	if o.Identity == "" {
		return nil
	}
	return slices.DeleteFunc(r.found.Unfinished(o.Identity, r.config), func(c setup.Candidate) bool { return !r.wants(c.Profile) })
}

// choose settles which profiles the key serves, and whether it may leave its old
// place: not while anything needs it there that mfad does not serve.
func (r *importRun) choose(ctx context.Context) error {
	s := r.setupRun
	o := &s.answers.Origin
	leave := func(c setup.Candidate, why error) { r.leave(c.Profile, why.Error(), creds.HintOf(why)) }
	for {
		var err error
		if s.answers.Profiles, err = s.servable(ctx, r.mine(*o), leave); err != nil {
			return err
		}
		if !o.RemoveKey {
			return nil
		}
		needed := r.found.Bereft(s.answers, r.config)
		for _, c := range r.found.Candidates(*o, r.config) {
			own := c.Profile == o.Key.Profile || c.Profile == o.Key.Base
			if own && !slices.Contains(needed, c.Profile) && !slices.ContainsFunc(s.answers.Profiles, func(p setup.Candidate) bool { return p.Profile == c.Profile }) {
				needed = append(needed, c.Profile)
			}
		}
		if len(needed) == 0 {
			return nil
		}
		r.note("the key stays in %s: without it there these profiles would fail: %s", r.place(o.Key), strings.Join(needed, ", "))
		o.RemoveKey = false
	}
}

// remember makes what is planned known to the keys that follow.
func (r *importRun) remember(a setup.Answers) {
	c := *r.config
	c.Identities, c.Profiles = maps.Clone(c.Identities), maps.Clone(c.Profiles)
	if c.Identities[a.Identity] == nil {
		c.Identities[a.Identity] = &profile.Identity{Name: a.Identity, MFASerial: a.Serial}
	}
	if a.Origin.User != "" {
		r.learnUsers(localapi.Status{Identities: []localapi.IdentityStatus{{Name: a.Identity, UserARN: &a.Origin.User}}})
	}
	for _, p := range a.Profiles {
		c.Profiles[p.Profile] = &profile.Profile{Name: p.Profile, Identity: a.Identity, RoleARN: p.RoleARN}
	}
	r.config = &c
	r.planned = append(r.planned, setup.Make(r.found, a).Sections()...)
}

// plans makes the plan of each key. An identity comes with the first of its keys.
func (r *importRun) plans() []setup.Plan {
	var plans []setup.Plan
	for _, a := range r.taking {
		plans = append(plans, setup.Make(r.found, a))
	}
	return plans
}

// tellLeft tells of what was found and is not taken.
func (r *importRun) tellLeft() {
	for _, p := range r.found.Problems {
		mine := r.source == fromAWSConfig || r.source == fromAWSMFA && (p.Device != "" || r.told.suffixes.Ends(p.Profile))
		if mine && !r.emptied(p) && r.concerns(p.Profile) {
			r.leave(p.Profile, p.What, p.Hint)
			r.asked[strings.TrimSuffix(p.Profile, setup.Suffix)] = true
		}
	}
	if r.source != fromAWSConfig {
		return
	}
	for _, p := range r.found.Refused() {
		if r.wants(p.Profile) {
			r.leave(p.Profile, p.What, p.Hint)
		}
	}
	for _, role := range r.found.Roles {
		if r.wants(role.Profile) && r.config.Profiles[role.Profile] == nil {
			what, hint := r.found.Unsourced(role)
			r.leave(role.Profile, fmt.Sprintf("%s:%d: %s", role.Path, role.Line, what), hint)
		}
	}
}

// concerns tells whether a section is what a wanted profile is, or gets its
// credentials from.
func (r *importRun) concerns(section string) bool {
	return r.wants(section) || r.wants(strings.TrimSuffix(section, setup.Suffix)) ||
		slices.ContainsFunc(r.found.Roles, func(role setup.Role) bool { return role.Source == section && r.wants(role.Profile) })
}

// emptied tells whether a section lacks its key because the keyring has it.
func (r *importRun) emptied(p setup.Problem) bool {
	return p.Device != "" && slices.ContainsFunc(r.config.IdentityNames(), func(n string) bool { return r.config.Identities[n].MFASerial == p.Device })
}
