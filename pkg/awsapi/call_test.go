package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
)

// line writes an observed call down, without its role, principal and end.
func (c Call) line() string {
	direct := ""
	if c.Direct {
		direct = " direct"
	}
	return fmt.Sprintf("%s %s%s asked %v given %v %s", c.Service, c.Action, direct, c.Asked, c.Given, creds.CodeOf(c.Err))
}

// lines empties what was observed.
func (w *world) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, c := range w.observed {
		all = append(all, c.line())
	}
	w.observed = nil
	return all
}

func (w *world) last(t *testing.T) Call {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.observed) == 0 {
		t.Fatal("nothing was observed")
	}
	return w.observed[len(w.observed)-1]
}

func (w *world) wantLines(t *testing.T, want ...string) {
	t.Helper()
	if got := w.lines(); !slices.Equal(got, want) {
		t.Errorf("observed %q\nwant     %q", got, want)
	}
}

// everyCall makes each call that a Client has, by the method's name.
func (w *world) everyCall(ctx context.Context, code, assertion creds.Secret) map[string]func() error {
	role := creds.Role{ARN: w.admin, SessionName: "alice", Duration: time.Hour}
	e := creds.NewSecret
	if assertion.IsZero() {
		assertion = e("made-up-assertion")
	}
	return map[string]func() error{
		"StartSession": func() error {
			_, err := w.client.StartSession(ctx, w.key, w.device.Serial, code, 36*time.Hour)
			return err
		},
		"AssumeRole": func() error { _, err := w.client.AssumeRole(ctx, w.key, role); return err },
		"AssumeRoleWithCode": func() error {
			_, err := w.client.AssumeRoleWithCode(ctx, w.key, role, w.device.Serial, code)
			return err
		},
		"AssumeRoleWithSAML": func() error {
			_, err := w.client.AssumeRoleWithSAML(ctx, role, "arn:aws:iam::222222222222:saml-provider/corp", assertion)
			return err
		},
		"AssumeRoleWithWebIdentity": func() error { _, err := w.client.AssumeRoleWithWebIdentity(ctx, role, assertion); return err },
		"CallerIdentity":            func() error { _, err := w.client.CallerIdentity(ctx, w.key); return err },
		"Devices":                   func() error { _, err := w.client.Devices(ctx, w.key); return err },
		"Role":                      func() error { _, err := w.client.Role(ctx, w.key, "Deploy"); return err },
		"SetMaxSessionDuration":     func() error { return w.client.SetMaxSessionDuration(ctx, w.key, "Deploy", 12*time.Hour, nil) },
		"AccessKeys":                func() error { _, err := w.client.AccessKeys(ctx, w.key, "alice"); return err },
		"CreateAccessKey":           func() error { _, err := w.client.CreateAccessKey(ctx, w.key, "alice"); return err },
		"SetAccessKeyActive":        func() error { return w.client.SetAccessKeyActive(ctx, w.key, "alice", w.key.AccessKeyID, true) },
		"DeleteAccessKey":           func() error { return w.client.DeleteAccessKey(ctx, w.key, "alice", "AKIAEXAMPLE000000001") },
		"AccessKeyLastUsed":         func() error { _, err := w.client.AccessKeyLastUsed(ctx, w.key, w.key.AccessKeyID); return err },
		"FederationToken": func() error {
			_, err := w.client.FederationToken(ctx, w.key, "alice", "", nil, 90*time.Minute)
			return err
		},
		"SigninToken": func() error {
			_, err := w.client.SigninToken(ctx, w.sim.URL+"/federation", fake, time.Hour)
			return err
		},
	}
}

// TestNoCallGoesUnseen: whatever a Client can do is observed once, with the
// caller's context and the error that the caller gets, sent or not.
func TestNoCallGoesUnseen(t *testing.T) {
	type asker struct{}
	w := newWorld(t)
	var seen []Call
	w.client.endpoint.Observe = func(ctx context.Context, c Call) {
		if ctx.Value(asker{}) != "me" {
			t.Errorf("%s: the context is not the caller's", c.Action)
		}
		if _, bounded := ctx.Deadline(); bounded {
			t.Errorf("%s: the context is that of the request, which is over", c.Action)
		}
		seen = append(seen, c)
	}
	ctx := context.WithValue(context.Background(), asker{}, "me")
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, unsent := range []bool{false, true} {
		if unsent {
			w.client.endpoint.URL, w.sim.URL = gone.URL, gone.URL
		}
		calls := w.everyCall(ctx, creds.NewSecret(w.device.WrongCode()), creds.Secret{})
		for m := range reflect.TypeFor[*Client]().Methods() {
			call := calls[m.Name]
			if call == nil {
				t.Errorf("the test does not make the call %s", m.Name)
				continue
			}
			seen = nil
			err := call()
			if len(seen) != 1 || !reflect.DeepEqual(seen[0].Err, err) {
				t.Errorf("%s: observed %+v, want one call that ended with %v", m.Name, seen, err)
				continue
			}
			if _, is := errors.AsType[*NotSentError](seen[0].Err); is != unsent {
				t.Errorf("%s: not sent %v, want %v (%v)", m.Name, is, unsent, err)
			}
		}
	}
	w.client.endpoint.Observe = nil
	if _, err := w.client.CallerIdentity(ctx, w.key); err == nil {
		t.Error("a call to nowhere succeeded")
	}
}

func TestWhatIsObserved(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.deploy("")
		s := w.session(t)
		if last := w.last(t); !last.Expires.Equal(s.Expires) || last.Principal != "" || last.RoleARN != "" {
			t.Errorf("observed %+v, want the session's end, %v", last, s.Expires)
		}
		c := w.directly(t)
		if last := w.last(t); last.RoleARN != w.admin || last.Principal != c.Principal || !last.Expires.Equal(c.Expires) {
			t.Errorf("observed %+v, want what came back: %+v", last, c)
		}
		_ = w.viaSession(t)
		_, _ = w.client.AssumeRole(t.Context(), s, creds.Role{ARN: w.admin, SessionName: "alice", Duration: 2 * time.Hour})
		if last := w.last(t); last.RoleARN != w.admin || last.Principal != "" || !last.Expires.IsZero() {
			t.Errorf("observed %+v, want a refusal for %s", last, w.admin)
		}
		w.wantLines(t,
			"sts GetSessionToken asked 36h0m0s given 36h0m0s ",
			"sts AssumeRole direct asked 0s given 1h0m0s ",
			"sts GetSessionToken asked 36h0m0s given 36h0m0s ",
			"sts AssumeRole asked 0s given 1h0m0s ",
			"sts AssumeRole asked 2h0m0s given 0s duration")

		if _, err := w.client.CallerIdentity(t.Context(), c); err != nil || w.last(t).Principal != c.Principal {
			t.Errorf("observed %+v (%v), want %s", w.last(t), err, c.Principal)
		}
		info, err := w.client.Role(t.Context(), s, "Deploy")
		if err != nil || w.last(t).RoleARN != info.ARN {
			t.Errorf("observed %+v (%v), want %s", w.last(t), err, info.ARN)
		}
		_ = w.client.SetMaxSessionDuration(t.Context(), s, "Deploy", 12*time.Hour, nil)
		_, _ = w.signin(t, c, 12*time.Hour)
		_, _ = w.signin(t, s, 0)
		_ = w.federated(t)
		w.wantLines(t,
			"sts GetCallerIdentity asked 0s given 0s ",
			"iam GetRole asked 0s given 0s ",
			"iam UpdateRole asked 12h0m0s given 0s ",
			"signin GetSigninToken asked 12h0m0s given 0s ",
			"signin GetSigninToken asked 0s given 0s refused",
			"sts GetFederationToken asked 2h0m0s given 2h0m0s ")
	})
}

// TestAListingIsOneCall, however many pages AWS makes of it.
func TestAListingIsOneCall(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.alice.AddMFA("phone")
		if _, err := w.client.Devices(t.Context(), w.key); err != nil {
			t.Fatal(err)
		}
		w.wantLines(t, "iam ListMFADevices asked 0s given 0s ")
	})
}

func TestACancelledCallIsObserved(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sim.Inject(awssim.Fault{Kind: awssim.Hang})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := w.client.SigninToken(ctx, w.sim.URL+"/federation", fake, 0)
		refusal{creds.CodeCancelled, "canceled", ""}.check(t, err)
		w.wantLines(t, "signin GetSigninToken asked 0s given 0s cancelled")
	})
}
