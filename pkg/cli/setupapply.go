package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/setup"
)

// apply carries the plan out: what can be taken back first, and a key leaves its
// file last, when the keyring has given it back.
func (s *setupRun) apply(ctx context.Context, plan setup.Plan) error {
	d, err := s.sameDaemon(ctx)
	if err != nil {
		return err
	}
	if err := s.storeKey(ctx, d, &plan); err != nil {
		return err
	}
	if err := s.change(ctx, plan); err != nil {
		return s.halfway(err)
	}
	_, err = s.reload(ctx)
	return err
}

// change makes a plan's changes in mfad's config and in AWS's files; its keys are in
// the keyring by then.
func (s *setupRun) change(ctx context.Context, plan setup.Plan) error {
	if err := s.addProfiles(ctx, plan.Profiles); err != nil {
		return err
	}
	before, last := plan.LastStep()
	for _, claims := range []credfile.Claims{before, last} {
		if err := s.files.Claim(ctx, claims); err != nil {
			return err
		}
	}
	return s.files.Flush(ctx)
}

// sameDaemon gives a client of the daemon, started if need be, if it works on the
// files that were looked at.
func (s *setupRun) sameDaemon(ctx context.Context) (*localapi.Client, error) {
	d, st, err := s.daemonStatus(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.sameConfig(st); err != nil {
		return nil, err
	}
	if st.Daemon.Credentials != s.where.AWSCredentials || st.Daemon.AWSConfig != s.where.AWSConfig {
		return nil, &creds.Error{Code: creds.CodeConflict, Op: "the daemon writes other AWS files than were looked at", Hint: "run the command again"}
	}
	s.learnUsers(st)
	return d, nil
}

// addProfiles puts the profiles into the config, and has the daemon know them before
// sections of AWS's files become theirs: one of nobody's it would remove, and the
// credentials in it.
func (s *setupRun) addProfiles(ctx context.Context, profiles []profile.Section) error {
	err := profile.AddSections(s.where.Config, profiles, s.opts)
	if err == nil {
		_, err = s.reload(ctx)
	}
	return err
}

// halfway tells that a part is done.
func (s *setupRun) halfway(err error) error {
	s.note("the identity %s is set up, the rest is not; run mfad setup again", s.answers.Identity)
	return err
}

// storeKey puts the key into the keyring, which reads it back. Where that holds
// another key of the identity, the file's stays where it is.
func (s *setupRun) storeKey(ctx context.Context, d *localapi.Client, plan *setup.Plan) error {
	key := s.answers.Origin.Key.Credentials
	if key.IsZero() {
		return nil
	}
	if arn := s.arns[s.answers.Identity]; plan.Identity == nil && arn != "" && arn != s.answers.Origin.User {
		return notTheirs(s.answers.Identity, arn, s.answers.Origin.User)
	}
	r := localapi.IdentityRequest{Name: s.answers.Identity, AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey.Reveal(), Again: true}
	if plan.Identity != nil {
		r.MFASerial, r.Region = s.answers.Serial, s.answers.Region
	}
	undo, err := s.announce(ctx, plan)
	if err != nil {
		return err
	}
	if _, err = s.putIdentity(ctx, d, r); err != nil {
		undo()
	}
	another := plan.Identity == nil && creds.CodeOf(err) == creds.CodeConflict
	if another && s.arns[r.Name] == "" { // the keyring was not open yet
		if st, err := answers(ctx, d); err == nil {
			s.learnUsers(st)
		}
	}
	if another && s.arns[r.Name] == s.answers.Origin.User {
		s.note("the keyring has another key of identity %s, which stays; so does the one that was found", r.Name)
		s.otherKeys = append(s.otherKeys, r.Name)
		for _, claims := range [][]credfile.Claim{plan.Claims.Credentials, plan.Claims.Config} {
			for i := range claims {
				claims[i].Own = claims[i].Own && claims[i].Key.IsZero()
				claims[i].Key = creds.Credentials{}
			}
		}
		own := "profile " + s.answers.Origin.Key.Profile // whose section the key stays in
		plan.Profiles = slices.DeleteFunc(plan.Profiles, func(p profile.Section) bool { return p.Header == own })
		return nil
	}
	if err == nil {
		s.note("the key of identity %s is in the keyring", r.Name)
	}
	return err
}

// announce writes the section of a new identity before its key comes, where it says
// more than the key's coming would write. The way back is for a key that did not
// come.
func (s *setupRun) announce(ctx context.Context, plan *setup.Plan) (undo func(), err error) {
	if plan.Identity == nil || s.answers.Origin.Key.SessionDuration == "" {
		return func() {}, nil
	}
	if err := profile.AddSections(s.where.Config, []profile.Section{*plan.Identity}, s.opts); err != nil {
		return nil, err
	}
	undo = func() { _ = profile.RemoveSection(s.where.Config, plan.Identity.Header, s.opts) } // what failed first is told
	_, err = s.reload(ctx)
	if err != nil {
		undo()
	}
	return undo, err
}

// spendCode logs in, if a code can be had.
func (s *setupRun) spendCode(ctx context.Context) error {
	name := s.answers.Identity
	id := s.config.Identities[name]
	if s.flags.login == "no" || s.flags.code == "" && s.tty == nil && (id == nil || id.MFAProcess == "") {
		fmt.Fprintf(s.err, "next: mfad login %s\n", name)
		return nil
	}
	r := localapi.LoginRequest{Target: name, CanAsk: canAskHere()}
	if s.flags.code != "" {
		var err error
		if r.Code, err = s.codeFromStdin(ctx, s.flags.code); err != nil {
			return err
		}
	}
	err := s.login(ctx, r)
	if _, told := errors.AsType[statusError](err); err != nil && !told {
		fmt.Fprintf(s.err, "mfad: all is set up; only the code is missing\nnext: mfad login %s\n", name)
	}
	return err
}
