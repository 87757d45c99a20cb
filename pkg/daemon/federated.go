package daemon

import (
	"context"
	"os"
	"strings"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
)

// federated assumes a role with what the user's identity provider says.
func (c caller) federated(ctx context.Context, cl *awsapi.Client, id *profile.Identity, name string, r creds.Role) (creds.Credentials, refresh.Via, error) {
	via := refresh.ViaWebIdentity
	if id.Type == profile.TypeSAML {
		via = refresh.ViaSAML
	}
	ctx = about(ctx, subject{identity: id.Name, profile: name, way: string(via)})
	if id.Type == profile.TypeSAML {
		assertion, err := c.output(ctx, id.Name, "saml_assertion_process", id.SAMLProcess)
		if err != nil {
			return creds.Credentials{}, "", err
		}
		got, err := cl.AssumeRoleWithSAML(ctx, r, id.PrincipalARN, assertion)
		return got, via, err
	}
	token, err := c.webToken(ctx, id)
	if err != nil {
		return creds.Credentials{}, "", err
	}
	got, err := cl.AssumeRoleWithWebIdentity(ctx, r, token)
	return got, via, err
}

// webToken reads the token anew each time: whoever writes it renews it.
func (c caller) webToken(ctx context.Context, id *profile.Identity) (creds.Secret, error) {
	if id.WebIdentityTokenFile == "" {
		return c.output(ctx, id.Name, "web_identity_token_process", id.WebIdentityTokenProcess)
	}
	b, err := os.ReadFile(id.WebIdentityTokenFile)
	if err != nil {
		return creds.Secret{}, &creds.Error{Code: creds.CodeInternal, Op: "read the web identity token of " + id.Name,
			Hint: "check web_identity_token_file in the config", Err: err}
	}
	return creds.NewSecret(strings.TrimSpace(string(b))), nil
}

// output runs a program of the user's and takes all that it prints.
func (c caller) output(ctx context.Context, identity, key, command string) (creds.Secret, error) {
	out, err := c.d.desk.Run(ctx, command)
	if err == nil && strings.TrimSpace(out) == "" {
		return creds.Secret{}, &creds.Error{Code: creds.CodeInternal, Op: key + " of " + identity + " printed nothing",
			Hint: "run it by hand: the command is in the config"}
	}
	if err != nil {
		return creds.Secret{}, &creds.Error{Code: creds.CodeInternal, Op: key + " of " + identity + " failed",
			Hint: "run it by hand: the command is in the config", Err: err}
	}
	return creds.NewSecret(strings.TrimSpace(out)), nil
}
