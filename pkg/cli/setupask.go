package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/setup"
)

// asks tells whether a question with a default is asked.
func (s *setupRun) asks() bool { return s.tty != nil && !s.flags.yes }

// ask reads one line; an empty one is the default.
func (s *setupRun) ask(ctx context.Context, question, fallback string) (string, error) {
	if fallback != "" {
		question += " [" + fallback + "]"
	}
	text, err := s.tty.line(ctx, question+": ")
	return orElse(text, fallback), err
}

// askFor asks until the answer is a good one.
func (s *setupRun) askFor(ctx context.Context, question, fallback string, check func(string) error) (string, error) {
	for {
		text, err := s.ask(ctx, question, fallback)
		if err != nil {
			return "", err
		}
		if err = check(text); err == nil {
			return text, nil
		}
		if text != "" {
			fmt.Fprintf(s.talk(), "mfad: %v\n", err)
		}
	}
}

func (s *setupRun) yesNo(ctx context.Context, question string, fallback bool) (bool, error) {
	choice := " [y/N] "
	if fallback {
		choice = " [Y/n] "
	}
	for {
		text, err := s.tty.line(ctx, question+choice)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(text) {
		case "":
			return fallback, nil
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
}

// chooseKey finds the long-term key: told, the only one, or asked for.
func (s *setupRun) chooseKey(ctx context.Context) (err error) {
	o := &s.answers.Origin
	switch keys := s.found.Keys; {
	case s.flags.key != "":
		o.Key.Credentials, err = s.readKey(ctx, keySource{stdin: true})
	case s.flags.from != "":
		err = s.keyOf(s.flags.from)
	case len(keys) == 1:
		o.Key = keys[0]
	case len(keys) > 1:
		err = s.pickKey(ctx, keys)
	case len(s.config.Identities) > 0:
		err = s.pickIdentity(ctx)
	default:
		err = s.typeKey(ctx)
	}
	if err == nil && o.Key.Profile != "" {
		s.note("found the long-term key %s in %s:%d [%s]", shortKey(o.Key.Credentials.AccessKeyID), o.Key.Path, o.Key.Line, o.Key.Profile)
	}
	return err
}

// shortKey shows the last four characters of a key's id.
func shortKey(id string) string { return id[:min(4, len(id))] + "****" + id[max(0, len(id)-4):] }

// keyOf takes the key of a profile.
func (s *setupRun) keyOf(name string) error {
	if k, ok := s.found.Key(name); ok {
		s.answers.Origin.Key = k
		return nil
	}
	for _, p := range s.found.Problems {
		if p.Profile == name || p.Profile == name+setup.Suffix {
			return usage(p.Hint, "%s", p.What)
		}
	}
	return usage("name one that has, or use --key -", "no section [%s] with a long-term key in %s and %s", name, s.where.AWSCredentials, s.where.AWSConfig)
}

// typeKey asks for a key that stands in no file.
func (s *setupRun) typeKey(ctx context.Context) (err error) {
	for _, p := range s.found.Problems {
		s.complain(p.What, p.Hint)
	}
	if s.tty == nil {
		return usage("use --key - or --from PROFILE", "no long-term key was found, and there is no terminal to ask for it on: --key is missing")
	}
	s.note("no long-term key in %s and %s", s.where.AWSCredentials, s.where.AWSConfig)
	fmt.Fprintln(s.talk(), "mfad: an IAM user's access key is made in the console: IAM, Users, Security credentials, Create access key")
	s.answers.Origin.Key.Credentials, err = s.askKey(ctx)
	return err
}

func (s *setupRun) pickKey(ctx context.Context, keys []setup.Key) error {
	if s.tty == nil || s.flags.yes {
		var names []string
		for _, k := range keys {
			names = append(names, k.Profile)
		}
		return usage("add --from "+names[0], "there are several long-term keys, and --from is missing: %s", strings.Join(names, ", "))
	}
	for i, k := range keys {
		fmt.Fprintf(s.talk(), "%d  %-20s %s  %s:%d\n", i+1, k.Profile, shortKey(k.Credentials.AccessKeyID), k.Path, k.Line)
	}
	for {
		text, err := s.ask(ctx, fmt.Sprintf("which key (1-%d)", len(keys)), "1")
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(keys) {
			s.answers.Origin.Key = keys[n-1]
			return nil
		}
		if k, ok := s.found.Key(text); ok {
			s.answers.Origin.Key = k
			return nil
		}
	}
}

// pickIdentity goes on with an identity of the config, where no key is left to find.
func (s *setupRun) pickIdentity(ctx context.Context) error {
	names := slices.DeleteFunc(s.config.IdentityNames(), func(n string) bool { return s.config.Identities[n].Type != profile.TypeKey })
	name := s.flags.identity
	switch {
	case name == "" && len(names) == 1:
		name = names[0]
	case name == "" && len(names) == 0:
		return s.typeKey(ctx)
	case name == "" && !s.asks():
		return usage("add --identity "+names[0], "there are several identities, and --identity is missing: %s", strings.Join(names, ", "))
	}
	for !slices.Contains(names, name) {
		if !s.asks() {
			return usage("give its key with --key -", "no identity %s, and no key for it was found", name)
		}
		var err error
		if name, err = s.ask(ctx, "which identity ("+strings.Join(names, ", ")+")", names[0]); err != nil {
			return err
		}
	}
	id := s.config.Identities[name]
	s.answers.Identity, s.answers.Serial = name, id.MFASerial
	s.answers.Origin.Identity, s.answers.Origin.Device = name, []string{id.MFASerial}
	return nil
}

// inspect asks AWS whose key it is, and which device its codes come from.
func (s *setupRun) inspect(ctx context.Context) error {
	o := &s.answers.Origin
	if o.Key.Credentials.IsZero() {
		return nil
	}
	owner, err := daemon.InspectKey(ctx, s.config.Defaults, s.getenv, s.stsRegion(), o.Key.Credentials)
	if err != nil {
		return err
	}
	s.owner = owner
	s.note("AWS says that the key is %s's", owner.ARN)
	for _, f := range owner.FIDO {
		s.note("%s is a FIDO device: AWS takes those in the console only", f)
	}
	o.Device, o.User = owner.Devices, owner.ARN
	if s.looseFlag && owner.Hidden == nil && !slices.Contains(owner.Devices, s.flags.serial) {
		s.flags.serial = "" // another user's
	}
	o.SessionName = s.awsMFASession(o.Key, owner)
	name, err := s.known(owner)
	if err != nil {
		return err
	}
	if name != "" {
		id := s.config.Identities[name]
		o.Identity, s.answers.Identity, s.answers.Serial = name, name, id.MFASerial
		return nil
	}
	if s.answers.Serial, err = s.device(ctx, owner); err != nil {
		return err
	}
	o.Device = append(o.Device, s.answers.Serial)
	s.answers.Identity = orElse(s.flags.identity, s.found.IdentityName(o.Key, owner.ARN, s.config))
	if s.flags.identity == "" && s.asks() && !s.batch {
		s.answers.Identity, err = s.askFor(ctx, "a name for this user in mfad", s.answers.Identity, profile.CheckName)
	}
	return err
}

// awsMFASession is what aws-mfa calls a role session, where mfad would call it
// otherwise: by the name of the login, and not of the IAM user.
func (s *setupRun) awsMFASession(k setup.Key, owner daemon.Owner) string {
	login := s.loginName()
	switch {
	case k.Role == "" || login == owner.ARN[strings.LastIndexByte(owner.ARN, '/')+1:]:
		return ""
	case !setup.IsSessionName(login):
		s.note("%s: aws-mfa names its role session after the login, %q, which AWS does not take; mfad names it after the IAM user", orElse(k.Base, k.Profile), login)
		return ""
	}
	return login
}

// stsRegion is where the key is tried: its partition follows from what is told
// beside it.
func (s *setupRun) stsRegion() string {
	hint := orElse(s.flags.serial, s.answers.Origin.Key.Device)
	if hint == "" && len(s.found.Roles) > 0 {
		hint = s.found.Roles[0].ARN
	}
	return orElse(s.flags.region, orElse(s.config.Defaults.Region, profile.DefaultRegion(hint)))
}

// known gives the identity of the config that is this user, empty if there is none.
func (s *setupRun) known(owner daemon.Owner) (string, error) {
	if name := s.flags.identity; name != "" {
		if s.config.Identities[name] == nil {
			return "", nil
		}
		return name, s.sameUser(name, owner)
	}
	for _, name := range s.config.IdentityNames() {
		serial := s.config.Identities[name].MFASerial
		mine := slices.Contains(owner.Devices, serial) || serial == s.flags.serial || owner.Hidden != nil && serial == s.toldDevice(owner)
		if serial != "" && mine && s.sameUser(name, owner) == nil {
			return name, nil
		}
	}
	return "", nil
}

// sameUser refuses an identity that is not this user's. A device has one user, so
// that AWS's list of the user's tells too; where nobody tells, what the user or AWS's
// files say of the device is believed until the daemon is there, which looks again.
func (s *setupRun) sameUser(name string, owner daemon.Owner) error {
	arn, serial := s.arns[name], s.config.Identities[name].MFASerial
	switch {
	case arn == owner.ARN:
		return nil
	case arn != "":
		return notTheirs(name, arn, owner.ARN)
	case serial != "" && slices.Contains(owner.Devices, serial), serial != "" && owner.Hidden != nil && serial == orElse(s.flags.serial, s.toldDevice(owner)):
		return nil
	}
	return usage("choose another name; or run mfad status, which starts the daemon, and try again", "nothing tells that identity %s is %s's", name, owner.ARN)
}

func notTheirs(name, arn, owner string) error {
	return usage("choose another name for it", "identity %s is %s's, this key is %s's", name, arn, owner)
}

// learnUsers notes whose keys the identities have.
func (s *setupRun) learnUsers(st localapi.Status) {
	if s.arns == nil {
		s.arns = map[string]string{}
	}
	for _, id := range st.Identities {
		if id.UserARN != nil && *id.UserARN != "" {
			s.arns[id.Name] = *id.UserARN
		}
	}
}

// device chooses the MFA device.
func (s *setupRun) device(ctx context.Context, owner daemon.Owner) (string, error) {
	told := orElse(s.flags.serial, s.answers.Origin.Key.Device)
	switch {
	case s.flags.serial != "", slices.Contains(owner.Devices, told):
		return told, nil
	case owner.Hidden != nil:
		return s.hiddenDevice(ctx, owner, told)
	case len(owner.Devices) == 0:
		fmt.Fprintln(s.err, "mfad: how to make one: console, IAM, Users, Security credentials, Assign MFA device, Authenticator app; then run mfad setup again")
		return "", owner.NoDevice()
	case len(owner.Devices) == 1:
		return owner.Devices[0], nil
	case !s.asks():
		return "", usage("add --mfa-serial "+owner.Devices[0], "the user has several MFA devices, and --mfa-serial is missing: %s", strings.Join(owner.Devices, ", "))
	}
	return s.chooseDevice(ctx, owner.Devices)
}

// hiddenDevice is device where AWS does not list them; the AWS files may name one.
func (s *setupRun) hiddenDevice(ctx context.Context, owner daemon.Owner, told string) (string, error) {
	told = orElse(told, s.toldDevice(owner))
	if !s.asks() && told == "" {
		return "", &creds.Error{Code: creds.CodeUsage, Op: "--mfa-serial is missing", Hint: creds.HintOf(owner.Hidden), Err: owner.Hidden}
	} else if !s.asks() {
		return told, nil
	}
	s.note("%v", owner.Hidden)
	return s.askFor(ctx, "the MFA device's ARN (console: IAM, Users, Security credentials)", told, profile.CheckDevice)
}

// toldDevice is the device that AWS's files name for the key, where AWS does not
// list them; empty: none.
func (s *setupRun) toldDevice(owner daemon.Owner) string {
	key := s.answers.Origin.Key
	if key.Device != "" {
		return key.Device
	}
	for _, r := range s.found.Roles {
		if r.Source == key.Profile && profile.Account(r.Device) == profile.Account(owner.ARN) {
			return r.Device
		}
	}
	return ""
}

// chooseRemoval tells whether the key goes out of its file. It is asked where
// there is more to do than that.
func (s *setupRun) chooseRemoval(ctx context.Context) error {
	o := &s.answers.Origin
	if o.Key.Profile == "" || s.flags.keep {
		return nil
	}
	if o.RemoveKey = s.flags.remove; o.RemoveKey || !s.asks() {
		return nil
	}
	if o.Identity != "" && len(s.found.Candidates(*o, s.config)) == 0 {
		return nil
	}
	fmt.Fprintf(s.talk(), "The key goes into the keyring. In %s every program can read it.\n", o.Key.Path)
	remove, err := s.yesNo(ctx, "take it out of the file, once the keyring has given it back?", false)
	o.RemoveKey = remove
	return err
}
