package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

func (a *app) identityCommand() *cobra.Command {
	c := &cobra.Command{Use: "identity", Short: "Add, list, change, rotate and remove identities: long-term keys with their MFA device", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	list := &cobra.Command{
		Use: "list", Short: "List identities", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listIdentities(cmd.Context()) },
	}
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Remove an identity, and its key from the keyring", Args: cobra.ExactArgs(1),
		Long: "Remove an identity from the config, its key from the keyring and its session from memory and disk.\nThe key itself stays active at AWS.",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.daemon(cmd.Context())
			if err != nil {
				return err
			}
			if err := d.Do(cmd.Context(), "/v1/identities/remove", localapi.NameRequest{Name: args[0]}, nil); err != nil {
				return err
			}
			a.note("removed identity %s; its key stays active at AWS until you delete it there", args[0])
			return nil
		},
		ValidArgsFunction: a.completeIdentities(),
	}
	c.AddCommand(a.identityAddCommand(), list, remove, a.identityRotateCommand(), a.identityTOTPCommand())
	return c
}

func (a *app) identityAddCommand() *cobra.Command {
	var from keySource
	var totp string
	r := localapi.IdentityRequest{}
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Put a long-term key into the keyring",
		Long: `Put an IAM user's long-term access key into the keyring. The key is asked for on
the terminal, unless a flag says where it is. AWS is asked whose key it is, and
which MFA devices the user has: one is used, of several one is to be chosen. FIDO
devices do not work outside the console.`,
		Example: `  mfad identity add corp
  mfad identity add corp --from-profile default
  aws iam create-access-key | mfad identity add corp --stdin`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name = args[0]
			seed, err := a.seedBeside(cmd.Context(), totp, from)
			if err != nil {
				return err
			}
			if err := a.addIdentity(cmd.Context(), r, from); err != nil || seed.IsZero() {
				return err
			}
			return a.storeSeed(cmd.Context(), localapi.TOTPRequest{Name: r.Name, Seed: seed.Reveal(), NoVerify: r.NoVerify})
		},
	}
	f := c.Flags()
	f.BoolVar(&from.env, "from-env", false, "take AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	f.StringVar(&from.profile, "from-profile", "", "take the key of a `PROFILE` in the shared credentials file")
	f.BoolVar(&from.stdin, "stdin", false, "read the key from stdin: id and secret on two lines, or the JSON of aws iam create-access-key")
	f.StringVar(&r.MFASerial, "mfa-serial", "", "the `ARN` or serial number of the MFA device")
	f.StringVar(&r.Region, "region", "", "the `REGION` whose STS is asked")
	f.BoolVar(&r.NoVerify, "no-verify", false, "do not ask AWS (needs --mfa-serial)")
	f.StringVar(&totp, "totp", "", "`-` reads the seed of the virtual device from stdin too; see mfad identity totp")
	return c
}

func (a *app) addIdentity(ctx context.Context, r localapi.IdentityRequest, from keySource) error {
	if r.NoVerify && r.MFASerial == "" {
		return usage("add --mfa-serial ARN", "--no-verify needs --mfa-serial")
	}
	key, err := a.readKey(ctx, from)
	if err != nil {
		return err
	}
	r.AccessKeyID, r.SecretAccessKey = key.AccessKeyID, key.SecretAccessKey.Reveal()
	d, err := a.daemon(ctx)
	if err != nil {
		return err
	}
	out, err := a.putIdentity(ctx, d, r)
	if err != nil {
		return err
	}
	if out.MFASerial == "" {
		if r.MFASerial, err = a.chooseDevice(ctx, out.Devices); err != nil {
			return err
		}
		if err := d.Do(ctx, "/v1/identities/add", r, &out); err != nil {
			return err
		}
	}
	for _, s := range out.Skipped {
		a.note("%s is a FIDO device: AWS takes those in the console only", s)
	}
	if a.json {
		return a.printJSON(out)
	}
	a.note("added identity %s: %s, device %s", r.Name, orElse(out.UserARN, "not verified"), out.MFASerial)
	if from.profile != "" {
		a.note("the key still stands in the credentials file too")
	}
	fmt.Fprintf(a.err, "next: mfad profile add NAME --identity %s --role-arn ARN, then mfad login %s\n", r.Name, r.Name)
	return nil
}

// putIdentity hands a key to the daemon, and opens the keyring for it if a person
// can.
func (a *app) putIdentity(ctx context.Context, d *localapi.Client, r localapi.IdentityRequest) (out localapi.IdentityAnswer, err error) {
	err = d.Do(ctx, "/v1/identities/add", r, &out)
	if creds.CodeOf(err) == creds.CodeKeyringLocked && canAskHere() {
		if err = a.unlock(ctx); err == nil {
			err = d.Do(ctx, "/v1/identities/add", r, &out)
		}
	}
	return out, err
}

// device names an identity's device, and where its codes come from without anybody.
func device(i localapi.IdentityStatus) string {
	if i.TOTPStored {
		return text(i.MFASerial) + " (seed stored)"
	}
	return text(i.MFASerial)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// chooseDevice asks which of several devices it shall be.
func (a *app) chooseDevice(ctx context.Context, devices []string) (string, error) {
	several := usage("add --mfa-serial "+devices[0], "the user has several MFA devices: %s", strings.Join(devices, ", "))
	if !canAskHere() {
		return "", several
	}
	t, err := openTerminal()
	if err != nil {
		return "", several
	}
	defer t.close()
	for i, d := range devices {
		fmt.Fprintf(t.file, "%d  %s\n", i+1, d)
	}
	for {
		text, err := t.line(ctx, fmt.Sprintf("which device gives your codes (1-%d)? ", len(devices)))
		if err != nil {
			return "", err
		}
		if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(devices) {
			return devices[n-1], nil
		}
		if slices.Contains(devices, text) {
			return text, nil
		}
	}
}

func (a *app) listIdentities(ctx context.Context) error {
	_, st, err := a.daemonStatus(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(st.Identities)
	}
	rows := [][]string{{"IDENTITY", "STATE", "SESSION", "USER", "DEVICE"}}
	now := time.Now()
	for _, i := range st.Identities {
		session := "-"
		if i.SessionExpires != nil && i.SessionExpires.After(now) {
			session = left(*i.SessionExpires, now)
		}
		rows = append(rows, []string{i.Name, i.State, session, text(i.UserARN), device(i)})
	}
	writeTable(a.out, rows)
	return nil
}
