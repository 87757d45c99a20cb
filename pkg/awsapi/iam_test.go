package awsapi

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
)

// deploy is a role of alice's own account.
func (w *world) deploy(description string) string {
	w.alice.Allow("iam:GetRole", "iam:UpdateRole")
	return w.sim.AddRole(awssim.Role{Account: "111111111111", Name: "Deploy", Path: "/ci/", Description: description,
		Principals: []string{w.alice.ARN}, RequireMFA: true, MaxSessionDuration: 4 * time.Hour}).ARN
}

func TestRole(t *testing.T) {
	w := newWorld(t)
	arn := w.deploy("rolls out")
	got, err := w.client.Role(t.Context(), w.session(t), "Deploy")
	if err != nil {
		t.Fatal(err)
	}
	if got.ARN != arn || got.MaxSessionDuration != 4*time.Hour || got.Description == nil || *got.Description != "rolls out" {
		t.Errorf("got %+v, want %s, 4h, with its description", got, arn)
	}
	var policy struct {
		Statement []struct {
			Principal struct{ AWS []string }
			Condition map[string]map[string]string
		}
	}
	if err := json.Unmarshal([]byte(got.Trust), &policy); err != nil {
		t.Fatalf("the trust policy %q: %v", got.Trust, err)
	}
	if s := policy.Statement[0]; !slices.Equal(s.Principal.AWS, []string{w.alice.ARN}) || s.Condition["Bool"]["aws:MultiFactorAuthPresent"] != "true" {
		t.Errorf("the trust policy says %+v, want alice with MFA", s)
	}
}

func TestTrustIsDecodedAsRFC3986(t *testing.T) {
	for document, want := range map[string]string{
		"%7B%22a%22%3A%20%22x%2By+z%22%7D": `{"a": "x+y+z"}`,
		`{"a":1}`:                          `{"a":1}`,
		"%7B%zz":                           "",
		"no policy":                        "",
		"":                                 "",
	} {
		if got := trust(document); got != want {
			t.Errorf("trust(%q) = %q, want %q", document, got, want)
		}
	}
}

func TestTheLimitIsRaisedAndTheDescriptionStays(t *testing.T) {
	for _, description := range []string{"rolls out", ""} {
		w := newWorld(t)
		arn, s := w.deploy(description), w.session(t)
		before, err := w.client.Role(t.Context(), s, "Deploy")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.client.SetMaxSessionDuration(t.Context(), s, "Deploy", 12*time.Hour, before.Description); err != nil {
			t.Fatal(err)
		}
		if r, _ := w.sim.Role(arn); r.MaxSessionDuration != 12*time.Hour || r.Description != description {
			t.Errorf("the role has %v and %q, want 12h and %q", r.MaxSessionDuration, r.Description, description)
		}
		if sent := slices.Contains(w.sim.Calls("UpdateRole")[0].Parameters, "Description"); sent != (description != "") {
			t.Errorf("description %q: sent %v", description, sent)
		}
	}
}

func TestIAMRefuses(t *testing.T) {
	get := func(t *testing.T, w *world) error {
		_, err := w.client.Role(t.Context(), w.key, "Deploy")
		return err
	}
	set := func(d time.Duration) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error {
			err := w.client.SetMaxSessionDuration(t.Context(), w.key, "Deploy", d, nil)
			if r, there := w.sim.Role("arn:aws:iam::111111111111:role/ci/Deploy"); there && r.MaxSessionDuration != 4*time.Hour {
				t.Errorf("a refused call left %v, want 4h", r.MaxSessionDuration)
			}
			return err
		}
	}
	with := func(f awssim.Fault, do func(*testing.T, *world) error) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error {
			w.deploy("")
			w.sim.Inject(f)
			return do(t, w)
		}
	}
	there := func(do func(*testing.T, *world) error) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error { w.deploy(""); return do(t, w) }
	}
	allowed := func(do func(*testing.T, *world) error) func(*testing.T, *world) error {
		return func(t *testing.T, w *world) error { w.alice.Allow("iam:GetRole", "iam:UpdateRole"); return do(t, w) }
	}
	for name, tt := range map[string]struct {
		do   func(*testing.T, *world) error
		want refusal
	}{
		"GetRole is not allowed":       {get, refusal{creds.CodeAccessDenied, "iam:GetRole", "needs iam:GetRole on this role"}},
		"UpdateRole is not allowed":    {set(12 * time.Hour), refusal{creds.CodeAccessDenied, "iam:UpdateRole", "needs iam:UpdateRole on this role"}},
		"no such role to look up":      {allowed(get), refusal{creds.CodeRefused, "NoSuchEntity: The role with name Deploy cannot be found", "account of the key"}},
		"no such role to change":       {allowed(set(12 * time.Hour)), refusal{creds.CodeRefused, "NoSuchEntity", "account of the key"}},
		"more than twelve hours":       {there(set(13 * time.Hour)), refusal{creds.CodeDuration, "less than or equal to 43200", "1h to 12h"}},
		"no duration is not an hour":   {there(set(0)), refusal{creds.CodeDuration, "greater than or equal to 3600", "1h to 12h"}},
		"a negative one neither":       {there(set(-time.Hour)), refusal{creds.CodeDuration, "greater than or equal to 3600", "1h to 12h"}},
		"a role of a service":          {with(awssim.Fault{Kind: awssim.Refuse, Code: "UnmodifiableEntity", Message: "Cannot perform the operation on the protected role"}, set(12*time.Hour)), refusal{creds.CodeRefused, "protected role", "belongs to an AWS service"}},
		"throttled":                    {with(awssim.Fault{Kind: awssim.Throttle}, get), refusal{creds.CodeThrottled, "Rate exceeded", "try again"}},
		"a proxy's page":               {with(awssim.Fault{Kind: awssim.Garbage}, get), refusal{creds.CodeUnavailable, "no valid answer", "https_proxy"}},
		"half an answer":               {with(awssim.Fault{Kind: awssim.Cut}, get), refusal{creds.CodeUnavailable, "no valid answer", "https_proxy"}},
		"a change that may have stuck": {with(awssim.Fault{Kind: awssim.DropBefore}, set(12*time.Hour)), refusal{creds.CodeNetwork, "the connection was cut", "try again"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) { tt.want.check(t, tt.do(t, w)) })
		})
	}
}

func TestDevicesAreNotShown(t *testing.T) {
	w := newWorld(t)
	w.alice.Deny("iam:ListMFADevices")
	_, err := w.client.Devices(t.Context(), w.key)
	refusal{creds.CodeAccessDenied, "iam:ListMFADevices", "the user needs iam:ListMFADevices"}.check(t, err)
}
