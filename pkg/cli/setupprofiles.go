package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/setup"
)

// chooseProfiles chooses which roles become profiles.
func (s *setupRun) chooseProfiles(ctx context.Context) error {
	all, err := s.servable(ctx, s.found.Candidates(s.answers.Origin, s.config), func(c setup.Candidate, why error) {
		s.left = true
		s.complain(c.Profile+" is left out: "+why.Error(), creds.HintOf(why))
	})
	if err != nil {
		return err
	}
	chosen, err := s.pickProfiles(ctx, all)
	if err != nil {
		return err
	}
	for _, r := range s.flags.roles {
		name, arn, _ := strings.Cut(r, "=")
		if !slices.ContainsFunc(chosen, func(c setup.Candidate) bool { return c.Profile == name }) {
			chosen = append(chosen, setup.Candidate{Profile: name, RoleARN: arn})
		}
	}
	if len(chosen) == 0 && len(all) == 0 && s.flags.profiles == "" && s.answers.Origin.Identity == "" {
		if chosen, err = s.typeRoles(ctx); err != nil {
			return err
		}
		if len(chosen) == 0 { // the MFA session itself
			chosen = []setup.Candidate{{Profile: s.sessionName()}}
		}
	}
	s.answers.Profiles = chosen
	return nil
}

// sessionName names the profile of the MFA session itself.
func (s *setupRun) sessionName() string {
	key := s.answers.Origin.Key
	name := orElse(key.Base, s.answers.Identity)
	if name == key.Profile { // the key's own section, in which it stays
		name += "-mfa"
	}
	return name
}

// servable are the candidates that AWS's files would let mfad serve; of the others
// leave is told why not.
func (s *setupRun) servable(ctx context.Context, all []setup.Candidate, leave func(setup.Candidate, error)) ([]setup.Candidate, error) {
	now, err := s.foresee(ctx, all)
	if code := creds.CodeOf(err); code == creds.CodeConflict || code == creds.CodeConfig || code == creds.CodeUsage {
		if _, err := s.foresee(ctx, nil); err != nil { // not for any of them
			return nil, err
		}
		all = s.sift(ctx, all, all, leave)
		now, err = s.foresee(ctx, all)
	}
	if err != nil {
		return nil, err
	}
	gone := map[string]bool{}
	return slices.DeleteFunc(all, func(c setup.Candidate) bool {
		if e := now.Conflicts[c.Profile]; e != nil {
			leave(c, e)
			gone[c.Profile] = true
		} else if gone[c.Source] {
			leave(c, fmt.Errorf("it is chained to %s", c.Source))
			gone[c.Profile] = true
		}
		return gone[c.Profile]
	}), nil
}

// sift gives those of part that can be taken over, and tells of the others. It
// halves until it has found them: a look at the files takes its time.
func (s *setupRun) sift(ctx context.Context, part, all []setup.Candidate, leave func(setup.Candidate, error)) []setup.Candidate {
	_, why := s.foresee(ctx, setup.Complete(part, all))
	switch half := len(part) / 2; {
	case why == nil:
		return part
	case half == 0:
		leave(part[0], why)
		return nil
	default:
		return slices.Concat(s.sift(ctx, part[:half], all, leave), s.sift(ctx, part[half:], all, leave))
	}
}

// foresee tells what would become of AWS's files with these profiles, and whether
// mfad's config takes them.
func (s *setupRun) foresee(ctx context.Context, chosen []setup.Candidate) (credfile.Preview, error) {
	a := s.answers
	a.Profiles = chosen
	plan := setup.Make(s.found, a)
	if _, _, err := profile.PreviewSections(s.where.Config, append(slices.Clip(s.planned), plan.Sections()...), s.opts); err != nil {
		return credfile.Preview{}, err
	}
	return s.files.Preview(ctx, plan.Claims, plan.Static, plan.Process)
}

// pickProfiles chooses among those that are there.
func (s *setupRun) pickProfiles(ctx context.Context, all []setup.Candidate) ([]setup.Candidate, error) {
	if len(all) == 0 && (s.flags.profiles == "" || s.flags.profiles == "all" || s.flags.profiles == "none") {
		return nil, nil
	}
	if s.flags.profiles != "" || !s.asks() {
		return named(orElse(s.flags.profiles, "all"), all)
	}
	width := 0
	for _, c := range all {
		width = max(width, len(c.Profile))
	}
	fmt.Fprintln(s.talk(), "These profiles can be fresh all day:")
	for _, c := range all {
		what := orElse(c.RoleARN, "the MFA session itself")
		if c.Source != "" {
			what += ", by " + c.Source
		}
		if c.Mode == profile.MFADirect {
			what += ", direct, as aws-mfa assumes it"
		}
		fmt.Fprintf(s.talk(), "  %-*s  %s\n", width, c.Profile, what)
	}
	for {
		text, err := s.ask(ctx, "which ones: all, none, or names with commas between", "all")
		if err != nil {
			return nil, err
		}
		chosen, err := named(text, all)
		if err == nil {
			return chosen, nil
		}
		fmt.Fprintf(s.talk(), "mfad: %v\n", err)
	}
}

// named gives the candidates that a list names, with those they are chained to.
func named(list string, all []setup.Candidate) ([]setup.Candidate, error) {
	switch list {
	case "all":
		return all, nil
	case "none":
		return nil, nil
	}
	var chosen []setup.Candidate
	for _, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(all, func(c setup.Candidate) bool { return c.Profile == name })
		if i < 0 {
			var names []string
			for _, c := range all {
				names = append(names, c.Profile)
			}
			return nil, usage("there are: "+orElse(strings.Join(names, ", "), "none"), "no role of this key is called %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return setup.Complete(chosen, all), nil
}

// typeRoles asks for roles where AWS's files have none.
func (s *setupRun) typeRoles(ctx context.Context) (typed []setup.Candidate, err error) {
	if !s.asks() || len(s.flags.roles) > 0 {
		return nil, nil
	}
	for {
		question := "the ARN of a role to assume (empty: none"
		if len(typed) > 0 {
			question = "one more (empty: no"
		}
		arn, err := s.ask(ctx, question+")", "")
		if err != nil || arn == "" {
			return typed, err
		}
		if !strings.HasPrefix(arn, "arn:") || profile.RoleName(arn) == "" {
			fmt.Fprintln(s.talk(), "mfad: that is no role's ARN, such as arn:aws:iam::222222222222:role/Admin")
			continue
		}
		name, err := s.askFor(ctx, "its profile's name", strings.ToLower(profile.RoleName(arn)), profile.CheckName)
		if err != nil {
			return nil, err
		}
		typed = append(typed, setup.Candidate{Profile: name, RoleARN: arn})
	}
}

// chooseModes chooses the way from a code to each role.
func (s *setupRun) chooseModes(ctx context.Context) error {
	told := map[string]string{}
	for _, m := range s.flags.modes {
		if name, mode, ok := strings.Cut(m, "="); ok {
			told[name] = mode
		} else {
			told[""] = m
		}
	}
	var open []*setup.Candidate
	for i := range s.answers.Profiles {
		c := &s.answers.Profiles[i]
		mode := orElse(told[c.Profile], told[""])
		delete(told, c.Profile)
		if c.RoleARN == "" || c.Source != "" {
			continue // no way to choose
		}
		if mode != "" {
			c.Mode = mode
			continue
		}
		open = append(open, c)
	}
	for name := range told {
		if name != "" {
			return usage("leave it out, or choose it with --profiles", "--mode names %s, which is no profile of this setup", name)
		}
	}
	if len(open) == 0 || !s.asks() {
		return nil
	}
	return s.askModes(ctx, open)
}

func (s *setupRun) askModes(ctx context.Context, open []*setup.Candidate) error {
	fmt.Fprint(s.talk(), "session: one code for all roles, for up to 36 hours; credentials are renewed in silence, an hour at a time.\n"+
		"direct: a code for each role; credentials live as long as the role allows, 12 hours at most.\n")
	preset := slices.ContainsFunc(open, func(c *setup.Candidate) bool { return c.Mode != "" })
	fallback := profile.MFASession
	if preset {
		fallback = "as shown"
	}
	text := ""
	for !isMode(text) && text != "each" {
		var err error
		if text, err = s.ask(ctx, "session, direct, or each", fallback); err != nil {
			return err
		}
		if text == fallback {
			return nil // what the config's default does
		}
	}
	for _, c := range open {
		mode := text
		for text == "each" && !isMode(mode) {
			var err error
			if mode, err = s.ask(ctx, "  "+c.Profile, orElse(c.Mode, profile.MFASession)); err != nil {
				return err
			}
		}
		if c.Mode = mode; mode == profile.MFASession && !preset {
			c.Mode = ""
		}
	}
	return nil
}
