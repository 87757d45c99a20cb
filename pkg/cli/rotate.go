package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/doctor"
	"github.com/mfad/mfad/pkg/inifile"
	"github.com/mfad/mfad/pkg/localapi"
)

func (a *app) identityRotateCommand() *cobra.Command {
	r := localapi.RotateRequest{}
	var code string
	var yes bool
	c := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Replace an identity's long-term key by a new one",
		Long: `Replace an identity's long-term key: a new key is made and stored, waited for
until AWS knows it, and put in use; then the old one is deactivated, and deleted
once all still works. It is done as the MFA session: where none lives a code is
asked for. What is cut off, by a crash or else, the daemon finishes by itself.

The old key stops working everywhere, on other machines and in other tools too.
Where AWS or AWS's files on this machine show that something else uses it, you are
asked first; without a terminal --yes is needed then.`,
		Example: "  mfad identity rotate corp --dry-run\n  mfad identity rotate corp\n  oathtool --totp -b SEED | mfad identity rotate corp --code - --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name, r.CanAsk = args[0], canAskHere()
			if code != "" {
				var err error
				if r.Code, err = a.codeFromStdin(cmd.Context(), code); err != nil {
					return err
				}
			}
			return a.rotate(cmd.Context(), r, yes)
		},
		ValidArgsFunction: a.completeIdentities(),
	}
	f := c.Flags()
	f.BoolVar(&r.DryRun, "dry-run", false, "show the user's keys and what would be done, and change nothing")
	f.BoolVar(&r.KeepOld, "keep-old", false, "leave the old key inactive instead of deleting it")
	f.BoolVar(&r.DeleteInactive, "delete-inactive", false, "delete the user's second key first, if it is inactive")
	f.BoolVar(&yes, "yes", false, "do not ask, although something else uses the old key")
	f.StringVar(&code, "code", "", "`-` reads the code from stdin")
	return c
}

// rotate looks first, warns, and then has the key replaced.
func (a *app) rotate(ctx context.Context, r localapi.RotateRequest, yes bool) error {
	c, st, err := a.daemonStatus(ctx)
	if err != nil {
		return err
	}
	look, dry := r, r.DryRun
	look.DryRun = true
	var plan localapi.RotateAnswer
	if err := a.converse(ctx, c, "/v1/identities/rotate", look, &plan); err != nil {
		return err
	}
	holders := stillHold(plan.OldKey, st.Daemon.Credentials, st.Daemon.AWSConfig)
	if plan.Note != "" {
		a.note("%s", plan.Note)
	}
	if dry {
		return a.printRotatePlan(plan, r, holders)
	}
	if err := a.warnOfRotation(ctx, plan, holders, keeps(plan, r), yes); err != nil {
		return err
	}
	r.Code = "" // it was spent, or was not needed
	var done localapi.RotateAnswer
	if err := a.converse(ctx, c, "/v1/identities/rotate", r, &done); err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(done)
	} else {
		fmt.Fprintf(a.out, "%s: new key %s, old key %s %s\n", done.Name, done.NewKey, done.OldKey, orElse(done.Old, "?"))
	}
	if err == nil && done.Error != nil {
		return done.Error.Err()
	}
	return err
}

// warnOfRotation says what stops working, and asks where something else is known to
// use the key.
func (a *app) warnOfRotation(ctx context.Context, plan localapi.RotateAnswer, holders []string, keep, yes bool) error {
	end := "it is deleted"
	if keep {
		end = "it becomes inactive"
	}
	a.note("the old key %s stops working everywhere, on other machines too: %s", plan.OldKey, end)
	var users []string
	for _, k := range plan.Keys {
		if k.InUse && k.Elsewhere {
			users = append(users, "something other than mfad used it: "+lastUsed(k))
		}
	}
	for _, where := range holders {
		users = append(users, where+" holds it too")
	}
	for _, u := range users {
		a.note("%s", u)
	}
	if len(users) == 0 || yes {
		return nil
	}
	if !canAskHere() {
		return usage("add --yes, or see first who uses it: mfad identity rotate "+plan.Name+" --dry-run", "something else uses the key %s", plan.OldKey)
	}
	t, err := openTerminal()
	if err != nil {
		return err
	}
	defer t.close()
	answer, err := t.line(ctx, "mfad: replace it all the same? [y/N] ")
	if err != nil && !errors.Is(err, errEOF) {
		return err
	}
	if !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return &creds.Error{Code: creds.CodeCancelled, Op: "nothing was changed"}
	}
	return nil
}

// keeps tells whether the old key is left inactive: a rotation whose new key is there
// may have been begun so.
func keeps(plan localapi.RotateAnswer, r localapi.RotateRequest) bool {
	o := plan.Rotation
	return r.KeepOld || o != nil && o.KeepOld && (o.Step == localapi.RotationCreated || o.Step == localapi.RotationSwitched)
}

// stillHold names the sections of AWS's files, which are the daemon's, that hold a
// key. A file that cannot be read holds none.
func stillHold(id string, files ...string) (sections []string) {
	slices.Sort(files)
	for _, path := range slices.Compact(files) {
		src, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := inifile.Scan(src)
		for _, s := range f.Sections {
			if l, ok := s.Option("aws_access_key_id"); ok && f.Value(l) == id {
				sections = append(sections, "["+s.Name+"] in "+path)
			}
		}
	}
	return sections
}

// printRotatePlan shows the user's keys and what would be done.
func (a *app) printRotatePlan(plan localapi.RotateAnswer, r localapi.RotateRequest, holders []string) error {
	if a.json {
		return a.printJSON(plan)
	}
	now := time.Now()
	rows := [][]string{{"KEY", "STATE", "AGE", "USED BY", "LAST USED"}}
	open := plan.Rotation != nil
	room := open || len(plan.Keys) < 2
	for _, k := range plan.Keys {
		state, age, by := "inactive", "-", "-"
		if k.Active {
			state = "active"
		}
		if k.Created != nil {
			age = days(now.Sub(*k.Created))
		}
		switch {
		case k.InUse && k.Elsewhere:
			by = plan.Name + ", and others"
		case k.InUse:
			by = plan.Name
		case !open && r.DeleteInactive && !k.Active:
			by, room = "to be deleted", true
		}
		rows = append(rows, []string{k.ID, state, age, by, lastUsed(k)})
	}
	writeTable(a.out, rows)
	fmt.Fprintln(a.out)
	if !room {
		fmt.Fprintln(a.out, "AWS gives no third key: one of the two has to go first (an inactive one: --delete-inactive)")
		return nil
	}
	fmt.Fprintln(a.out, planText(plan, keeps(plan, r))+"; nothing was changed")
	for _, where := range holders {
		fmt.Fprintf(a.out, "%s holds it too, and stops working\n", where)
	}
	return nil
}

// planText says what would be done.
func planText(plan localapi.RotateAnswer, keep bool) string {
	end := "deactivated and then deleted"
	if keep {
		end = "deactivated and then kept, inactive"
	}
	begin := "a new key would be made and put in use, and " + plan.OldKey + " " + end
	o := plan.Rotation
	if o == nil {
		return begin
	}
	rest := ""
	switch o.Step {
	case localapi.RotationCreating:
		rest = "a key whose secret was lost would be deleted, if there is one; then " + begin
	case localapi.RotationCreated:
		rest = "the new key " + o.Other + " would be put in use, and " + plan.OldKey + " " + end
	case localapi.RotationSwitched:
		rest = plan.OldKey + " would be " + end
	case localapi.RotationUndoing:
		rest = "the key " + o.Other + ", which is not in use, would be deleted; then " + begin
	default:
		rest = "it stands at " + o.Step
	}
	return "would finish the rotation: " + rest
}

// lastUsed is a key's last use in words.
func lastUsed(k localapi.KeyInfo) string {
	if k.LastUsed == nil {
		return "never, or AWS does not tell"
	}
	text := k.LastUsed.Local().Format(time.DateTime) + ", " + orElse(k.Service, "?")
	if k.Region != "" {
		text += " in " + k.Region
	}
	return text
}

// days writes an age to the day.
func days(d time.Duration) string { return count(int(d/(24*time.Hour)), "day") }

// writeKeys tells which keys are old, or all ages, and which rotations are not over.
func writeKeys(w io.Writer, st localapi.Status, now time.Time, all bool, most int) {
	l := list{w: w, most: most}
	for _, i := range st.Identities {
		if r := i.Rotation; r != nil && !r.Running {
			l.add(rotationText(i.Name, *r))
		}
		if i.KeyCreated == nil {
			continue
		}
		switch age := now.Sub(*i.KeyCreated); {
		case age >= doctor.OldKey:
			l.add(fmt.Sprintf("%s: the access key is %s old\n  hint: run: mfad identity rotate %s\n", i.Name, days(age), i.Name))
		case all:
			l.add(fmt.Sprintf("%s: the access key is %s old\n", i.Name, days(age)))
		}
	}
	l.end("keys")
}

// rotationText says where a rotation stands that is not over.
func rotationText(identity string, r localapi.RotationStatus) string {
	what := "a new key was asked for, and the answer was lost"
	switch r.Step {
	case localapi.RotationCreated:
		what = "the new key " + r.Other + " is stored and not in use yet"
	case localapi.RotationSwitched:
		what = "the new key is in use, and the old one, " + r.Other + ", is still there"
	case localapi.RotationUndoing:
		what = "the new key " + r.Other + " is not used and is still there"
	}
	text := identity + ": the rotation of its key is not over: " + what
	hint := "it goes on with the next session: mfad login " + identity
	if e := r.Error; e != nil {
		text, hint = text+": "+e.Message, orElse(e.Hint, "run: mfad identity rotate "+identity)
	}
	return text + "\n  hint: " + hint + "\n"
}
