package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/state"
)

func (a *app) lockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lock",
		Short: "Take all credentials back until the next login or unlock",
		Long: `Remove mfad's sections from the credentials file, delete the stored sessions, and
fetch and ask nothing, also after a restart, until "mfad login" or "mfad unlock".
What tools hold already stays valid at AWS until its end, which is printed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var out localapi.Outcome
			err := a.client().Do(cmd.Context(), "/v1/lock", struct{}{}, &out)
			if creds.CodeOf(err) == creds.CodeDaemonDown { // it may have been just dying
				err = a.client().Do(cmd.Context(), "/v1/lock", struct{}{}, &out)
			}
			if errors.Is(err, localapi.ErrNoDaemon) {
				return a.lockWithoutDaemon(cmd.Context())
			} else if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			fmt.Fprintln(a.out, "locked")
			if last := lastExpiry(out); last != nil && last.After(time.Now()) {
				a.note("credentials that tools hold already stay valid at AWS until %s", clock(*last, time.Now()))
			}
			return nil
		},
	}
}

// lockWithoutDaemon does what the daemon would, and leaves word for the next one.
func (a *app) lockWithoutDaemon(ctx context.Context) error {
	p, err := a.paths()
	if err != nil {
		return err
	}
	dir := state.Dir(p.State)
	if err := dir.Ensure(); err != nil {
		return err
	}
	if err := dir.SetLocked(true); err != nil {
		return err
	}
	if err := os.Remove(dir.Path("sessions")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if c, err := profile.Load(p.Config, profile.Options{System: p.SystemConfig}); err == nil && c.Defaults.CredentialsFile != "" {
		p.AWSCredentials = c.Defaults.CredentialsFile
	}
	if err := emptySections(ctx, p); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "locked")
	return nil
}

// emptySections takes the credentials out of mfad's sections.
func emptySections(ctx context.Context, p daemon.Paths) error {
	files := &credfile.Files{Credentials: p.AWSCredentials, Config: p.AWSConfig}
	if err := files.Recover(ctx); err != nil { // copies that a killed daemon left hold credentials too
		return err
	}
	managed, err := files.Managed(ctx)
	if err != nil {
		return err
	}
	for i := range managed {
		managed[i].Credentials = creds.Credentials{}
	}
	if len(managed) > 0 {
		if _, err := files.Apply(ctx, managed, nil); err != nil {
			return err
		}
	}
	return files.Flush(ctx)
}

// lastExpiry is the latest end of all that was handed out.
func lastExpiry(out localapi.Outcome) *time.Time {
	var last *time.Time
	for _, p := range out.Profiles {
		if p.Expires != nil && (last == nil || p.Expires.After(*last)) {
			last = p.Expires
		}
	}
	return last
}

func (a *app) unlockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unlock",
		Short: "Open the keyring, or end a lock",
		Long: `End "mfad lock". Where keys are kept in mfad's own file, its passphrase is asked
for on the terminal, or read from stdin if that is no terminal; the first time
it is chosen. An OS keyring that is locked asks for its password by itself.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.unlock(cmd.Context()) },
	}
}

func (a *app) unlock(ctx context.Context) error {
	c, err := a.daemon(ctx)
	if err != nil {
		return err
	}
	err = c.Do(ctx, "/v1/unlock", localapi.UnlockRequest{}, nil)
	if creds.CodeOf(err) == creds.CodeKeyringLocked {
		var st localapi.Status
		if err := c.Do(ctx, "/v1/status", nil, &st); err != nil {
			return err
		}
		if st.Daemon.Keyring.Kind != "file" {
			return err
		}
		pass, perr := a.passphrase(ctx, st.Daemon.Keyring.New)
		if perr != nil {
			return perr
		}
		err = c.Do(ctx, "/v1/unlock", localapi.UnlockRequest{Passphrase: pass.Reveal()}, nil)
	}
	if err == nil {
		a.note("unlocked")
	}
	return err
}

// passphrase asks for the file keyring's passphrase; a new one is asked twice.
func (a *app) passphrase(ctx context.Context, fresh bool) (creds.Secret, error) {
	if !a.stdinIsTerminal() {
		line, err := a.readStdin(ctx, false)
		if err != nil {
			return creds.Secret{}, err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return creds.Secret{}, &creds.Error{Code: creds.CodeKeyringLocked, Op: "the file keyring needs its passphrase, and there is none on stdin",
				Hint: "run mfad unlock in a terminal"}
		}
		return creds.NewSecret(line), nil
	}
	t, err := openTerminal()
	if err != nil {
		return creds.Secret{}, err
	}
	defer t.close()
	if !fresh {
		return t.secret(ctx, "passphrase of mfad's keyring: ")
	}
	pass, err := t.secret(ctx, "choose a passphrase for mfad's keyring: ")
	if err != nil {
		return pass, err
	}
	again, err := t.secret(ctx, "once more: ")
	if err == nil && (pass.IsZero() || !pass.Equal(again)) {
		err = usage("run: mfad unlock", "the passphrases differ, or are empty")
	}
	return pass, err
}
