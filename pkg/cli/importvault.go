package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// vault is the program aws-vault. Its questions go to the terminal, its answers
// into memory; a key is never an argument.
type vault struct {
	path   string
	stdin  io.Reader
	stderr io.Writer
}

func (r *importRun) openVault() (*vault, error) {
	path, err := exec.LookPath("aws-vault")
	if err != nil {
		return nil, &creds.Error{Code: creds.CodeUsage, Op: "aws-vault is not in PATH, and only it can open what it keeps", Hint: "install it, or add its folder to PATH", Err: err}
	}
	v := &vault{path: path, stdin: r.in, stderr: r.err}
	if r.tty != nil {
		v.stdin = r.tty.file
	}
	return v, nil
}

// run gives what aws-vault prints. It sees no config: a profile's role, or what a
// profile includes, would have it give the role's credentials in the key's place.
func (v *vault) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, v.path, args...)
	cmd.Env = childEnvironment(os.Environ(), map[string]string{"AWS_CONFIG_FILE": os.DevNull})
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = v.stdin, &out, v.stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		hint := "run that yourself to see why"
		if args[0] == "export" {
			hint += olderVault(args[len(args)-1])
		}
		return nil, &creds.Error{Code: creds.CodeKeyringFailed, Op: "run aws-vault " + strings.Join(args, " "), Hint: hint, Err: err}
	}
	return out.Bytes(), nil
}

// list names the keys that aws-vault keeps.
func (v *vault) list(ctx context.Context) ([]string, error) {
	out, err := v.run(ctx, "list", "--credentials")
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if name := strings.TrimSpace(line); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// olderVault is the way out for who has an aws-vault before 7.0, which brought the
// command export (https://github.com/99designs/aws-vault/releases/tag/v7.0.0).
func olderVault(name string) string {
	return "; aws-vault before 7.0 has no export: update it, or run: AWS_CONFIG_FILE=" + os.DevNull +
		" aws-vault exec --no-session " + name + " -- mfad identity add " + name + " --from-env"
}

// export gives a long-term key. It has the form of credential_process.
func (v *vault) export(ctx context.Context, name string) (creds.Credentials, error) {
	out, err := v.run(ctx, "export", "--no-session", "--format=json", "--", name)
	if err != nil {
		return creds.Credentials{}, err
	}
	var answer struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	if json.Unmarshal(out, &answer) != nil {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeKeyringFailed, Op: "aws-vault did not print a key for " + name, Hint: "see: aws-vault --version" + olderVault(name)}
	}
	if answer.SessionToken != "" {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeUsage, Op: "aws-vault gave temporary credentials for " + name + ", and not the key that it keeps",
			Hint: "leave the shell of aws-vault, and run the command again"}
	}
	return complete("aws-vault's "+name, answer.AccessKeyId, answer.SecretAccessKey)
}

// remove removes a key from aws-vault.
func (v *vault) remove(ctx context.Context, name string) error {
	_, err := v.run(ctx, "remove", "--force", "--", name)
	return err
}
