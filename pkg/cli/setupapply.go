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
	d, st, err := s.daemonStatus(ctx)
	if err != nil {
		return err
	}
	if err := s.sameConfig(st); err != nil {
		return err
	}
	if st.Daemon.Credentials != s.where.AWSCredentials || st.Daemon.AWSConfig != s.where.AWSConfig {
		return &creds.Error{Code: creds.CodeConflict, Op: "the daemon writes other AWS files than were looked at", Hint: "run: mfad setup"}
	}
	if err := s.storeKey(ctx, d, &plan); err != nil {
		return err
	}
	if err := profile.AddSections(s.where.Config, plan.Profiles, s.opts); err != nil {
		return s.halfway(err)
	}
	if err := s.files.Claim(ctx, plan.Claims); err != nil {
		return s.halfway(err)
	}
	if err := s.files.Flush(ctx); err != nil {
		return s.halfway(err)
	}
	_, err = s.reload(ctx)
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
	r := localapi.IdentityRequest{Name: s.answers.Identity, AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey.Reveal(), Again: true}
	if plan.Identity != nil {
		r.MFASerial, r.Region = s.answers.Serial, s.answers.Region
	}
	_, err := s.putIdentity(ctx, d, r)
	if plan.Identity == nil && creds.CodeOf(err) == creds.CodeConflict {
		s.note("the keyring has another key of identity %s, which stays; so does the one in the file", r.Name)
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
