package awssim_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/mfad/mfad/pkg/awssim"
)

// bubble runs test in simulated time against a server over pipes.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, awssim.New().ServePipe())) })
}

// sleepUntil lets the bubble's time pass until at.
func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }

func TestCredentialsEndOnTheSecond(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		time.Sleep(700 * time.Millisecond) // Expiration is cut to the second
		session, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(129600)})
		if err != nil {
			t.Fatal(err)
		}
		role, err := w.sts(key(w.alice)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.open.ARN, RoleSessionName: aws.String("alice")})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			creds aws.Credentials
			ends  time.Time
			lasts time.Duration
		}{
			{temporary(role.Credentials), *role.Credentials.Expiration, time.Hour},
			{temporary(session.Credentials), *session.Credentials.Expiration, 36 * time.Hour},
		} {
			if got := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(c.lasts); !got.Equal(c.ends) {
				t.Errorf("Expiration = %v, want %v", c.ends, got)
			}
			sleepUntil(c.ends.Add(-time.Nanosecond))
			if _, err := w.sts(c.creds).GetCallerIdentity(t.Context(), nil); err != nil {
				t.Errorf("just before %v: %v", c.ends, err)
			}
			sleepUntil(c.ends)
			_, err := w.sts(c.creds).GetCallerIdentity(t.Context(), nil)
			wantRefusal(t, err, "ExpiredToken", 403, expired)
		}
		time.Sleep(15 * 24 * time.Hour)
		w.session(t, false) // forgets what is long over
		_, err = w.sts(temporary(role.Credentials)).GetCallerIdentity(t.Context(), nil)
		wantRefusal(t, err, "InvalidClientTokenId", 403, badToken)
	})
}

// TestRoleOutlivesItsSession: expiry belongs to each set of credentials.
func TestRoleOutlivesItsSession(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		session := w.session(t, false)
		time.Sleep(12*time.Hour - time.Second)
		role := w.assume(t, session, w.open.ARN)
		time.Sleep(59 * time.Minute)
		if _, err := w.sts(role).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Errorf("the role after the end of its session: %v", err)
		}
	})
}

func TestEachStepCountsOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		session := func(code string) error {
			_, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{SerialNumber: &w.phone.Serial, TokenCode: &code})
			return err
		}
		assume := func(code string) error {
			_, err := w.sts(key(w.alice)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.admin.ARN, RoleSessionName: aws.String("alice"),
				SerialNumber: &w.phone.Serial, TokenCode: &code})
			return err
		}
		now := w.Now() // the beginning of a step
		before, present, next, later := w.phone.Code(now.Add(-30*time.Second)), w.phone.Code(now), w.phone.Code(now.Add(30*time.Second)), w.phone.Code(now.Add(60*time.Second))
		if err := session(present); err != nil {
			t.Errorf("present code: %v", err)
		}
		wantRefusal(t, session(present), "AccessDenied", 403, badCode)
		wantRefusal(t, assume(present), "AccessDenied", 403, badCode)
		if err := assume(before); err != nil {
			t.Errorf("code of the step before: %v", err)
		}
		if err := session(next); err != nil {
			t.Errorf("code of the step after: %v", err)
		}
		wantRefusal(t, session(later), "AccessDenied", 403, badCode)
		time.Sleep(30 * time.Second)
		wantRefusal(t, assume(next), "AccessDenied", 403, badCode)
		if err := session(later); err != nil {
			t.Errorf("code of two steps after, one step later: %v", err)
		}
		time.Sleep(90 * time.Second)
		wantRefusal(t, session(w.phone.Code(w.Now().Add(-60*time.Second))), "AccessDenied", 403, badCode)
	})
}

func TestNextCodeWaitsLikeAPerson(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		time.Sleep(10 * time.Second)
		start := time.Now()
		for _, want := range []time.Duration{0, 20 * time.Second, 50 * time.Second} {
			code := w.code(t, w.phone)
			if got := time.Since(start); got != want {
				t.Errorf("code came after %v, want %v", got, want)
			}
			if _, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{SerialNumber: &w.phone.Serial, TokenCode: &code}); err != nil {
				t.Errorf("GetSessionToken: %v", err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if code, err := w.phone.NextCode(ctx); err != context.DeadlineExceeded {
			t.Errorf("NextCode = %q, %v; want deadline exceeded", code, err)
		}
	})
}

func TestKeyPropagation(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.SetKeyPropagation(8 * time.Second)
		out, err := w.iam(key(w.alice)).CreateAccessKey(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		fresh := aws.Credentials{AccessKeyID: *out.AccessKey.AccessKeyId, SecretAccessKey: *out.AccessKey.SecretAccessKey}
		time.Sleep(8*time.Second - time.Nanosecond)
		_, err = w.sts(fresh).GetCallerIdentity(t.Context(), nil)
		wantRefusal(t, err, "InvalidClientTokenId", 403, badToken)
		time.Sleep(time.Nanosecond)
		if _, err := w.sts(fresh).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Errorf("after 8 s: %v", err)
		}
	})
}

func TestMFAAge(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.UpdateRole(w.admin.ARN, func(r *awssim.Role) { r.MaxMFAAge = time.Hour })
		in := &sts.AssumeRoleInput{RoleArn: &w.admin.ARN, RoleSessionName: aws.String("alice")}
		session := w.session(t, true)
		time.Sleep(time.Hour - time.Second)
		if _, err := w.sts(session).AssumeRole(t.Context(), in); err != nil {
			t.Errorf("at 59m59s: %v", err)
		}
		time.Sleep(time.Second)
		_, err := w.sts(session).AssumeRole(t.Context(), in)
		wantRefusal(t, err, "AccessDenied", 403, noAssume(w.alice.ARN, w.admin.ARN))
		// The age counts from the call that takes the code, so a code is always young.
		direct := *in
		direct.SerialNumber, direct.TokenCode = &w.phone.Serial, aws.String(w.code(t, w.phone))
		if _, err := w.sts(key(w.alice)).AssumeRole(t.Context(), &direct); err != nil {
			t.Errorf("with a code: %v", err)
		}
	})
}

func TestClockOffset(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for _, tt := range []struct {
			offset time.Duration
			want   string // "" means accepted
		}{
			{15 * time.Minute, ""},
			{15*time.Minute + time.Second, "Signature expired: 20000101T000000Z is now earlier than 20000101T000001Z (20000101T001501Z - 15 min.)"},
			{-15 * time.Minute, ""},
			{-15*time.Minute - time.Second, "Signature not yet current: 20000101T000000Z is still later than 19991231T235959Z (19991231T234459Z + 15 min.)"},
		} {
			w.SetClockOffset(tt.offset)
			answer, body := w.send(t, key(w.alice), raw{body: query("GetSessionToken", "2011-06-15", "DurationSeconds", "900"), at: time.Now()})
			if want := time.Now().Add(tt.offset).UTC().Format(http.TimeFormat); answer.Header.Get("Date") != want {
				t.Errorf("offset %v: Date = %s, want %s", tt.offset, answer.Header.Get("Date"), want)
			}
			if tt.want != "" {
				wantXML(t, answer, body, "SignatureDoesNotMatch", 403, tt.want)
				continue
			}
			want := time.Now().Add(tt.offset + 15*time.Minute).UTC().Format(time.RFC3339)
			if got := element(body, "Expiration"); got != want {
				t.Errorf("offset %v: Expiration = %q, want %s", tt.offset, got, want)
			}
		}
		w.SetClockOffset(5 * time.Minute)
		in := &sts.GetSessionTokenInput{SerialNumber: &w.phone.Serial, TokenCode: aws.String(w.phone.Code(time.Now()))}
		_, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), in)
		wantRefusal(t, err, "AccessDenied", 403, badCode)
		in.TokenCode = aws.String(w.phone.Code(w.Now()))
		if _, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), in); err != nil {
			t.Errorf("with the code of AWS's time: %v", err)
		}
	})
}

func TestShortenedTime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.LifetimeFactor, w.CodeStepFactor = 1200, 30
		w.UpdateRole(w.admin.ARN, func(r *awssim.Role) { r.MaxMFAAge = time.Hour })
		session, start := w.session(t, true), time.Now()
		out, err := w.sts(key(w.alice)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.open.ARN, RoleSessionName: aws.String("alice"), DurationSeconds: aws.Int32(900)})
		if err != nil {
			t.Fatal(err)
		}
		if got := out.Credentials.Expiration.Sub(start); got != 750*time.Millisecond {
			t.Errorf("900 s last %v, want 750ms", got)
		}
		// Requests are still held against AWS's limits.
		_, err = w.sts(key(w.alice)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.open.ARN, RoleSessionName: aws.String("alice"), DurationSeconds: aws.Int32(899)})
		wantRefusal(t, err, "ValidationError", 400, "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900")
		if first := w.code(t, w.phone); time.Since(start) != time.Second {
			t.Errorf("the next code %q came after %v, want 1s", first, time.Since(start))
		}
		time.Sleep(1900 * time.Millisecond)
		w.assume(t, session, w.admin.ARN)
		time.Sleep(100 * time.Millisecond) // 3 s are an hour
		_, err = w.sts(session).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.admin.ARN, RoleSessionName: aws.String("alice")})
		wantRefusal(t, err, "AccessDenied", 403, noAssume(w.alice.ARN, w.admin.ARN))
	})
}

func TestSigninTokenEndsAfterFifteenMinutes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.assume(t, key(w.alice), w.open.ARN)
		form := url.Values{"Action": {"login"}, "Destination": {"https://console.aws.amazon.com/"}, "SigninToken": {w.signinToken(t, c, "")}}
		time.Sleep(15*time.Minute - time.Second)
		if status, body := w.federate(t, http.MethodGet, form); status != http.StatusOK {
			t.Errorf("after 14m59s: %d %s", status, body)
		}
		time.Sleep(time.Second)
		if status, _ := w.federate(t, http.MethodGet, form); status != http.StatusBadRequest {
			t.Errorf("after 15m: %d, want 400", status)
		}
	})
}

func TestLastUsed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		unused := w.alice.AddAccessKey()
		time.Sleep(time.Hour)
		used := time.Now()
		if _, err := w.sts(key(w.alice)).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		session := w.session(t, true)
		time.Sleep(time.Hour)
		out, err := w.iam(session).GetAccessKeyLastUsed(t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: &w.alice.AccessKeyID})
		if err != nil {
			t.Fatal(err)
		}
		if l := out.AccessKeyLastUsed; !l.LastUsedDate.Equal(used) || *l.ServiceName != "sts" || *l.Region != "eu-west-1" || *out.UserName != "alice" {
			t.Errorf("last used %v %s %s, want %v sts eu-west-1", l.LastUsedDate, *l.ServiceName, *l.Region, used)
		}
		out, err = w.iam(session).GetAccessKeyLastUsed(t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: &unused.AccessKeyID})
		if err != nil {
			t.Fatal(err)
		}
		if l := out.AccessKeyLastUsed; l.LastUsedDate != nil || *l.ServiceName != "N/A" || *l.Region != "N/A" {
			t.Errorf("unused key: %v %s %s, want nil N/A N/A", l.LastUsedDate, *l.ServiceName, *l.Region)
		}
	})
}
