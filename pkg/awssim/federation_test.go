package awssim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/mfad/mfad/pkg/awssim"
)

// sessionJSON is the Session parameter for c.
func sessionJSON(c aws.Credentials) string {
	text, _ := json.Marshal(map[string]string{"sessionId": c.AccessKeyID, "sessionKey": c.SecretAccessKey, "sessionToken": c.SessionToken})
	return string(text)
}

// signinToken asks for a token; an empty duration is not sent.
func (w *world) signinToken(t *testing.T, c aws.Credentials, duration string) string {
	t.Helper()
	form := url.Values{"Action": {"getSigninToken"}, "Session": {sessionJSON(c)}}
	if duration != "" {
		form.Set("SessionDuration", duration)
	}
	status, body := w.federate(t, http.MethodPost, form)
	var answer struct{ SigninToken string }
	if status != http.StatusOK || json.Unmarshal([]byte(body), &answer) != nil || answer.SigninToken == "" {
		t.Fatalf("getSigninToken: %d, %d bytes without a token", status, len(body))
	}
	return answer.SigninToken
}

func (w *world) federated(t *testing.T) aws.Credentials {
	t.Helper()
	out, err := w.sts(key(w.alice)).GetFederationToken(t.Context(), &sts.GetFederationTokenInput{Name: aws.String("bob"), DurationSeconds: aws.Int32(7200)})
	if err != nil {
		t.Fatal(err)
	}
	return temporary(out.Credentials)
}

func TestConsoleSessions(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		direct := w.assume(t, key(w.alice), w.open.ARN)
		chained := w.assume(t, w.session(t, true), w.open.ARN)
		const role, bob = "arn:aws:sts::222222222222:assumed-role/Open/alice", "arn:aws:sts::111111111111:federated-user/bob"
		for i, tt := range []struct {
			name, method string
			creds        aws.Credentials
			duration     string
			principal    string
			lasts        time.Duration
		}{
			{"longer than the role allows, GET", http.MethodGet, direct, "43200", role, 12 * time.Hour},
			{"shortest, POST", http.MethodPost, direct, "900", role, 15 * time.Minute},
			{"remaining life", http.MethodPost, direct, "", role, time.Hour},
			{"through a session, without duration", http.MethodPost, chained, "", role, time.Hour},
			{"federated user", http.MethodPost, w.federated(t), "", bob, 2 * time.Hour},
		} {
			t.Log(tt.name)
			status, body := w.federate(t, tt.method, url.Values{"Action": {"login"}, "Issuer": {"https://example.com/"},
				"Destination": {"https://eu-west-1.console.aws.amazon.com/console/home"}, "SigninToken": {w.signinToken(t, tt.creds, tt.duration)}})
			if status != http.StatusOK || !strings.Contains(body, tt.principal) {
				t.Errorf("login: %d %s", status, body)
			}
			got := w.ConsoleSessions()
			if len(got) != i+1 {
				t.Fatalf("%d console sessions, want %d", len(got), i+1)
			}
			want := awssim.ConsoleSession{Principal: tt.principal, Destination: "https://eu-west-1.console.aws.amazon.com/console/home",
				Issuer: "https://example.com/", Started: w.Now(), Expires: w.Now().Add(tt.lasts)}
			if got[i] != want {
				t.Errorf("got  %+v\nwant %+v", got[i], want)
			}
		}
	})
}

func TestRefusedSigninTokens(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		direct := w.assume(t, key(w.alice), w.open.ARN)
		inRole := w.assume(t, direct, w.open.ARN)
		viaSession := w.assume(t, w.session(t, true), w.open.ARN)
		old := w.assume(t, key(w.alice), w.open.ARN)
		wrong := direct
		wrong.SecretAccessKey = old.SecretAccessKey
		revoked := w.assume(t, key(w.alice), w.open.ARN)
		w.RevokeSession(revoked.AccessKeyID)
		const invalid = "Invalid credentials parameter"
		for _, tt := range []struct {
			name string
			form url.Values
			want string
		}{
			{"long-term key", url.Values{"Session": {sessionJSON(key(w.alice))}}, invalid},
			{"session without a role", url.Values{"Session": {sessionJSON(w.session(t, false))}},
				"Only federation tokens or assume role tokens may be used for federated login. Please contact your administrator."},
			{"wrong secret", url.Values{"Session": {sessionJSON(wrong)}}, invalid},
			{"revoked", url.Values{"Session": {sessionJSON(revoked)}}, invalid},
			{"no JSON", url.Values{"Session": {"x"}}, invalid},
			{"no session", url.Values{}, invalid},
			{"too short", url.Values{"Session": {sessionJSON(direct)}, "SessionDuration": {"899"}}, invalid},
			{"too long", url.Values{"Session": {sessionJSON(direct)}, "SessionDuration": {"43201"}}, invalid},
			{"duration no number", url.Values{"Session": {sessionJSON(direct)}, "SessionDuration": {"12h"}}, invalid},
			{"duration of a chained role", url.Values{"Session": {sessionJSON(inRole)}, "SessionDuration": {"3600"}}, invalid},
			{"duration of a role through a session", url.Values{"Session": {sessionJSON(viaSession)}, "SessionDuration": {"900"}}, invalid},
			{"duration of a federated user", url.Values{"Session": {sessionJSON(w.federated(t))}, "SessionDuration": {"3600"}}, invalid},
			{"unknown parameter", url.Values{"Session": {sessionJSON(direct)}, "DurationSeconds": {"3600"}}, "Invalid request"},
			{"unknown action", url.Values{"Action": {"getToken"}, "Session": {sessionJSON(direct)}}, "Invalid request"},
		} {
			t.Log(tt.name)
			if !tt.form.Has("Action") {
				tt.form.Set("Action", "getSigninToken")
			}
			status, body := w.federate(t, http.MethodPost, tt.form)
			if status != http.StatusBadRequest || !strings.HasPrefix(body, "<html>") || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %s\nwant 400 with %s", status, body, tt.want)
			}
		}
		time.Sleep(time.Hour)
		if status, _ := w.federate(t, http.MethodPost, url.Values{"Action": {"getSigninToken"}, "Session": {sessionJSON(old)}}); status != http.StatusBadRequest {
			t.Errorf("expired credentials: %d, want 400", status)
		}
	})
}

func TestRefusedLogins(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		token := w.signinToken(t, w.assume(t, key(w.alice), w.open.ARN), "")
		const console = "https://console.aws.amazon.com/"
		for name, form := range map[string]url.Values{
			"no token":             {"Destination": {console}},
			"made-up token":        {"Destination": {console}, "SigninToken": {"x"}},
			"no destination":       {"SigninToken": {token}},
			"another site":         {"SigninToken": {token}, "Destination": {"https://aws.amazon.com.example.com/"}},
			"another partition":    {"SigninToken": {token}, "Destination": {"https://console.amazonaws.cn/"}},
			"destination by http":  {"SigninToken": {token}, "Destination": {"http://console.aws.amazon.com/"}},
			"unknown parameter":    {"SigninToken": {token}, "Destination": {console}, "Session": {"x"}},
			"two of one parameter": {"SigninToken": {token, token}, "Destination": {console}},
		} {
			form.Set("Action", "login")
			if status, body := w.federate(t, http.MethodPost, form); status != http.StatusBadRequest || !strings.HasPrefix(body, "<html>") {
				t.Errorf("%s: %d %s, want a page with 400", name, status, body)
			}
		}
		if n := len(w.ConsoleSessions()); n != 0 {
			t.Errorf("%d console sessions, want 0", n)
		}
	})
}

func TestFederationFaultsAndLog(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.assume(t, key(w.alice), w.open.ARN)
		w.Inject(awssim.Fault{Action: "getSigninToken", Kind: awssim.ServerError, Status: 503, Times: 1})
		form := url.Values{"Action": {"getSigninToken"}, "Session": {sessionJSON(c)}, "SessionDuration": {"7200"}}
		if status, _ := w.federate(t, http.MethodPost, form); status != http.StatusServiceUnavailable {
			t.Errorf("status = %d, want 503", status)
		}
		w.signinToken(t, c, "7200")
		log := w.Calls("getSigninToken")
		if len(log) != 2 || log[0].OK() || !log[1].OK() {
			t.Fatalf("log: %+v", log)
		}
		if l := log[1]; l.Service != "signin" || l.AccessKeyID != c.AccessKeyID || l.DurationSeconds != 7200 ||
			l.Principal != "arn:aws:sts::222222222222:assumed-role/Open/alice" {
			t.Errorf("log: %+v", l)
		}
	})
}
