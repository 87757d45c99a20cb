package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/inifile"
	"github.com/mfad/mfad/pkg/profile"
)

// keySource says where a long-term key comes from; the zero value asks for it.
type keySource struct {
	env, stdin bool
	profile    string
}

func (a *app) readKey(ctx context.Context, from keySource) (creds.Credentials, error) {
	switch {
	case from.env && from.stdin, from.profile != "" && (from.env || from.stdin):
		return creds.Credentials{}, usage("use one of --from-env, --from-profile and --stdin", "the key can come from one place only")
	case from.env:
		return complete("the environment", a.getenv("AWS_ACCESS_KEY_ID"), a.getenv("AWS_SECRET_ACCESS_KEY"))
	case from.stdin:
		text, err := a.readStdin(ctx, true)
		if err != nil {
			return creds.Credentials{}, err
		}
		return keyFromText(text)
	case from.profile != "":
		return a.keyFromFile(from.profile)
	}
	return a.askKey(ctx)
}

// complete makes a key of its two parts.
func complete(where, id, secret string) (creds.Credentials, error) {
	if id == "" || secret == "" {
		return creds.Credentials{}, usage("give both the access key id and the secret access key", "%s holds no complete key", where)
	}
	return creds.Credentials{AccessKeyID: id, SecretAccessKey: creds.NewSecret(secret)}, nil
}

// keyFromText reads the id and the secret on two lines, or the answer of
// `aws iam create-access-key`.
func keyFromText(text string) (creds.Credentials, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var answer struct {
			AccessKey struct{ AccessKeyId, SecretAccessKey string }
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			return creds.Credentials{}, usage("pipe the output of: aws iam create-access-key", "stdin holds no valid JSON")
		}
		return complete("stdin", answer.AccessKey.AccessKeyId, answer.AccessKey.SecretAccessKey)
	}
	words := strings.Fields(text)
	if len(words) != 2 {
		return creds.Credentials{}, usage("give the access key id and the secret access key on two lines", "stdin holds %d words, not two", len(words))
	}
	return complete("stdin", words[0], words[1])
}

// keyFromFile reads a profile of the shared credentials file.
func (a *app) keyFromFile(name string) (creds.Credentials, error) {
	path, _, err := profile.AWSFiles(a.getenv, a.home)
	if err != nil {
		return creds.Credentials{}, err
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeUsage, Op: "read the shared credentials file", Hint: "use --stdin", Err: err}
	}
	f := inifile.Scan(src)
	found := f.Find(name)
	if len(found) != 1 {
		return creds.Credentials{}, usage("use --stdin", "%s has %d sections [%s]", path, len(found), name)
	}
	value := func(key string) string {
		if l, ok := found[0].Option(key); ok {
			return f.Value(l)
		}
		return ""
	}
	if value("aws_session_token") != "" {
		return creds.Credentials{}, usage("name the profile with the long-term key", "[%s] in %s holds temporary credentials", name, path)
	}
	return complete(fmt.Sprintf("[%s] in %s", name, path), value("aws_access_key_id"), value("aws_secret_access_key"))
}

// askKey asks a person.
func (a *app) askKey(ctx context.Context) (creds.Credentials, error) {
	t, err := openTerminal()
	if err != nil || !foreground(t.file) {
		return creds.Credentials{}, usage("use --from-env, --from-profile PROFILE or --stdin", "there is no terminal to ask for the key on")
	}
	defer t.close()
	id, err := t.line(ctx, "access key id: ")
	if err != nil {
		return creds.Credentials{}, err
	}
	secret, err := t.secret(ctx, "secret access key (not shown): ")
	if err != nil {
		return creds.Credentials{}, err
	}
	return complete("the answer", id, secret.Reveal())
}
