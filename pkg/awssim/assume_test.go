package awssim_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/mfad/mfad/pkg/awssim"
)

func TestWhoMayAssume(t *testing.T) {
	w := newWorld(t, awssim.Start())
	mallory := w.AddUser(home, "mallory")
	denied := w.AddUser(home, "denied")
	denied.Deny("sts:AssumeRole")
	root := w.AddRoot(home)
	role := func(name string, edit func(*awssim.Role)) string {
		r := awssim.Role{Account: other, Name: name, Principals: []string{w.alice.ARN}}
		edit(&r)
		return w.AddRole(r).ARN
	}
	byAccount := role("ByAccount", func(r *awssim.Role) { r.Principals = []string{home} })
	byRole := role("ByRole", func(r *awssim.Role) { r.Principals = []string{w.open.ARN} })
	byRoleMFA := role("ByRoleMFA", func(r *awssim.Role) { r.Principals = []string{w.open.ARN}; r.RequireMFA = true })
	external := role("External", func(r *awssim.Role) { r.ExternalID = "x:/y" })
	sourced := role("Sourced", func(r *awssim.Role) { r.RequireSourceIdentity = true })
	tagged := role("Tagged", func(r *awssim.Role) { r.RequireTags = []string{"Team"} })
	plain, mfa := w.session(t, false), w.session(t, true)
	inRole := w.assume(t, mfa, w.open.ARN)
	const session = "arn:aws:sts::222222222222:assumed-role/Open/alice"

	for _, tt := range []struct {
		name  string
		creds aws.Credentials
		in    sts.AssumeRoleInput
		want  string // "" means granted
	}{
		{"named user", key(w.alice), sts.AssumeRoleInput{RoleArn: &external, ExternalId: aws.String("x:/y")}, ""},
		{"other user", key(mallory), sts.AssumeRoleInput{RoleArn: &external, ExternalId: aws.String("x:/y")}, noAssume(mallory.ARN, external)},
		{"by account", key(mallory), sts.AssumeRoleInput{RoleArn: &byAccount}, ""},
		{"by account, denied", key(denied), sts.AssumeRoleInput{RoleArn: &byAccount}, noAssume(denied.ARN, byAccount) + " with an explicit deny in an identity-based policy"},
		{"root", key(root), sts.AssumeRoleInput{RoleArn: &byAccount}, "Roles may not be assumed by root accounts."},
		{"unknown role", key(w.alice), sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::222222222222:role/Nope")}, noAssume(w.alice.ARN, "arn:aws:iam::222222222222:role/Nope")},
		{"role's path left out", key(w.alice), sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::222222222222:role/Admin")}, noAssume(w.alice.ARN, "arn:aws:iam::222222222222:role/Admin")},
		{"MFA wanted, long-term key", key(w.alice), sts.AssumeRoleInput{RoleArn: &w.admin.ARN}, noAssume(w.alice.ARN, w.admin.ARN)},
		{"MFA wanted, session without", plain, sts.AssumeRoleInput{RoleArn: &w.admin.ARN}, noAssume(w.alice.ARN, w.admin.ARN)},
		{"MFA wanted, session with", mfa, sts.AssumeRoleInput{RoleArn: &w.admin.ARN}, ""},
		{"role to role", inRole, sts.AssumeRoleInput{RoleArn: &byRole}, ""},
		{"role session carries no MFA", inRole, sts.AssumeRoleInput{RoleArn: &byRoleMFA}, noAssume(session, byRoleMFA)},
		{"role session is not the user", inRole, sts.AssumeRoleInput{RoleArn: &external, ExternalId: aws.String("x:/y")}, noAssume(session, external)},
		{"external ID missing", key(w.alice), sts.AssumeRoleInput{RoleArn: &external}, noAssume(w.alice.ARN, external)},
		{"external ID wrong", key(w.alice), sts.AssumeRoleInput{RoleArn: &external, ExternalId: aws.String("x:/z")}, noAssume(w.alice.ARN, external)},
		{"source identity missing", key(w.alice), sts.AssumeRoleInput{RoleArn: &sourced}, noAssume(w.alice.ARN, sourced)},
		{"source identity given", key(w.alice), sts.AssumeRoleInput{RoleArn: &sourced, SourceIdentity: aws.String("alice")}, ""},
		{"tag missing", key(w.alice), sts.AssumeRoleInput{RoleArn: &tagged}, noAssume(w.alice.ARN, tagged)},
		{"tag given", key(w.alice), sts.AssumeRoleInput{RoleArn: &tagged, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("core")}}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.RoleSessionName = aws.String("alice")
			out, err := w.sts(tt.creds).AssumeRole(t.Context(), &tt.in)
			if tt.want != "" {
				wantRefusal(t, err, "AccessDenied", 403, tt.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := aws.ToString(out.SourceIdentity); got != aws.ToString(tt.in.SourceIdentity) {
				t.Errorf("SourceIdentity = %q, want %q", got, aws.ToString(tt.in.SourceIdentity))
			}
		})
	}
}

func TestRoleDurations(t *testing.T) {
	w := newWorld(t, awssim.Start())
	short := w.AddRole(awssim.Role{Account: other, Name: "Short", Principals: []string{home, w.open.ARN}})
	long := w.AddRole(awssim.Role{Account: other, Name: "Long", MaxSessionDuration: 8 * time.Hour, Principals: []string{home, w.open.ARN}})
	for _, tt := range []struct {
		name    string
		creds   aws.Credentials
		arn     string
		seconds int32
		want    string
	}{
		{"above the role's", key(w.alice), short.ARN, 3601, roleLong},
		{"at the role's", key(w.alice), long.ARN, 8 * 3600, ""},
		{"just above the role's", key(w.alice), long.ARN, 8*3600 + 1, roleLong},
		{"through a session", w.session(t, true), long.ARN, 3601, chainLong},
		{"through a role", w.assume(t, key(w.alice), w.open.ARN), long.ARN, 3601, chainLong},
		{"through a role, an hour", w.assume(t, key(w.alice), w.open.ARN), long.ARN, 3600, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.sts(tt.creds).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &tt.arn, RoleSessionName: aws.String("alice"), DurationSeconds: &tt.seconds})
			if tt.want != "" {
				wantRefusal(t, err, "ValidationError", 400, tt.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRoleChangesWhileRunning(t *testing.T) {
	w := newWorld(t, awssim.Start())
	long := &sts.AssumeRoleInput{RoleArn: &w.open.ARN, RoleSessionName: aws.String("alice"), DurationSeconds: aws.Int32(7200)}
	w.UpdateRole(w.open.ARN, func(r *awssim.Role) { r.MaxSessionDuration = time.Hour })
	_, err := w.sts(key(w.alice)).AssumeRole(t.Context(), long)
	wantRefusal(t, err, "ValidationError", 400, roleLong)
	w.UpdateRole(w.open.ARN, func(r *awssim.Role) { r.MaxSessionDuration = 2 * time.Hour })
	if _, err := w.sts(key(w.alice)).AssumeRole(t.Context(), long); err != nil {
		t.Errorf("after raising the maximum: %v", err)
	}
	if r, ok := w.Role(w.open.ARN); !ok || r.MaxSessionDuration != 2*time.Hour {
		t.Errorf("Role = %v %v, want 2h", r.MaxSessionDuration, ok)
	}

	c := w.assume(t, key(w.alice), w.open.ARN)
	w.RevokeRoleSessions(w.open.ARN)
	_, err = w.sts(c).GetCallerIdentity(t.Context(), nil)
	wantRefusal(t, err, "InvalidClientTokenId", 403, badToken)
	c = w.assume(t, key(w.alice), w.open.ARN)
	w.DeleteRole(w.open.ARN)
	_, err = w.sts(c).GetCallerIdentity(t.Context(), nil)
	wantRefusal(t, err, "InvalidClientTokenId", 403, badToken)
	_, err = w.sts(key(w.alice)).AssumeRole(t.Context(), long)
	wantRefusal(t, err, "AccessDenied", 403, noAssume(w.alice.ARN, w.open.ARN))
}

func TestTagsAndSourceIdentityAlongAChain(t *testing.T) {
	w := newWorld(t, awssim.Start())
	next := w.AddRole(awssim.Role{Account: other, Name: "Next", Principals: []string{w.open.ARN}, RequireTags: []string{"team"}})
	first, err := w.sts(key(w.alice)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.open.ARN, RoleSessionName: aws.String("alice"),
		SourceIdentity: aws.String("alice"), TransitiveTagKeys: []string{"Team"}, Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("core")}}})
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 STS still answers it, beside what replaces it
	if got := aws.ToInt32(first.PackedPolicySize); got != 1 {
		t.Errorf("PackedPolicySize = %d, want 1", got)
	}
	in := sts.AssumeRoleInput{RoleArn: &next.ARN, RoleSessionName: aws.String("alice")}
	out, err := w.sts(temporary(first.Credentials)).AssumeRole(t.Context(), &in)
	if err != nil || aws.ToString(out.SourceIdentity) != "alice" {
		t.Errorf("the transitive tag or the source identity did not carry on: %v", err)
	}
	in.SourceIdentity = aws.String("bob")
	_, err = w.sts(temporary(first.Credentials)).AssumeRole(t.Context(), &in)
	wantRefusal(t, err, "AccessDenied", 403, noAssume("arn:aws:sts::222222222222:assumed-role/Open/alice", next.ARN))
	in.SourceIdentity, in.Tags = nil, []types.Tag{{Key: aws.String("team"), Value: aws.String("other")}}
	_, err = w.sts(temporary(first.Credentials)).AssumeRole(t.Context(), &in)
	wantRefusal(t, err, "ValidationError", 400,
		"One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
}

// TestWhatSessionsMayCall is the comparison table of the STS operations in the
// IAM User Guide.
func TestWhatSessionsMayCall(t *testing.T) {
	w := newWorld(t, awssim.Start())
	fed, err := w.sts(key(w.alice)).GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("bob")})
	if err != nil {
		t.Fatal(err)
	}
	w.UpdateRole(w.open.ARN, func(r *awssim.Role) { r.Allow = []string{"iam:*"} })
	for _, tt := range []struct {
		name                 string
		creds                aws.Credentials
		assume, iam, federal bool
	}{
		{"long-term key", key(w.alice), true, true, true},
		{"session without MFA", w.session(t, false), true, false, false},
		{"session with MFA", w.session(t, true), true, true, false},
		{"role", w.assume(t, key(w.alice), w.open.ARN), true, true, false},
		{"federated user", temporary(fed.Credentials), false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := w.sts(tt.creds)
			if _, err := c.GetCallerIdentity(t.Context(), nil); err != nil {
				t.Errorf("GetCallerIdentity: %v", err)
			}
			_, err := c.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.open.ARN, RoleSessionName: aws.String("alice")})
			if got := err == nil; got != tt.assume {
				t.Errorf("AssumeRole = %v, want granted: %v", err, tt.assume)
			}
			_, err = w.iam(tt.creds).ListMFADevices(t.Context(), nil)
			if !tt.iam {
				wantRefusal(t, err, "InvalidClientTokenId", 403, badToken)
			} else if tt.name == "role" {
				wantRefusal(t, err, "ValidationError", 400, "Must specify userName when calling with non-User credentials")
			} else if err != nil {
				t.Errorf("ListMFADevices: %v", err)
			}
			_, session := c.GetSessionToken(t.Context(), nil)
			_, federation := c.GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("bob")})
			if tt.federal {
				if session != nil || federation != nil {
					t.Errorf("GetSessionToken = %v, GetFederationToken = %v", session, federation)
				}
				return
			}
			wantRefusal(t, session, "AccessDenied", 403, "Cannot call GetSessionToken with session credentials")
			wantRefusal(t, federation, "AccessDenied", 403, "Cannot call GetFederationToken with session credentials")
		})
	}
}

func TestUserUnderAnMFAPolicy(t *testing.T) {
	w := newWorld(t, awssim.Start())
	w.alice.SetNeedsMFA(true)
	deny := " with an explicit deny in an identity-based policy"
	for _, c := range []aws.Credentials{key(w.alice), w.session(t, false)} {
		_, err := w.sts(c).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.open.ARN, RoleSessionName: aws.String("alice")})
		wantRefusal(t, err, "AccessDenied", 403, noAssume(w.alice.ARN, w.open.ARN)+deny)
		if _, err := w.sts(c).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Errorf("GetCallerIdentity: %v", err)
		}
	}
	if _, err := w.iam(key(w.alice)).ListMFADevices(t.Context(), nil); err != nil {
		t.Errorf("ListMFADevices: %v", err)
	}
	_, err := w.iam(key(w.alice)).ListAccessKeys(t.Context(), nil)
	wantRefusal(t, err, "AccessDenied", 403, "User: "+w.alice.ARN+" is not authorized to perform: iam:ListAccessKeys on resource: user alice"+deny)
	w.assume(t, w.session(t, true), w.open.ARN)
}
