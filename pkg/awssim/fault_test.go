package awssim_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/mfad/mfad/pkg/awssim"
)

// TestFaultsThatAnswer: what the SDK makes of each, and that nothing was done.
func TestFaultsThatAnswer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   awssim.Fault
		code    string
		status  int
		message string
	}{
		{"throttled", awssim.Fault{Kind: awssim.Throttle}, "Throttling", 400, "Rate exceeded"},
		{"500", awssim.Fault{Kind: awssim.ServerError}, "InternalFailure", 500, "The request processing has failed because of an unknown error, exception or failure."},
		{"503", awssim.Fault{Kind: awssim.ServerError, Status: 503}, "ServiceUnavailable", 503, "Service Unavailable"},
		{"region disabled", awssim.Fault{Kind: awssim.Refuse, Status: 403, Code: "RegionDisabledException", Message: "STS is not activated in this region"},
			"RegionDisabledException", 403, "STS is not activated in this region"},
		{"denied", awssim.Fault{Kind: awssim.AccessDenied}, "AccessDenied", 403,
			"User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:GetSessionToken on resource: * with an explicit deny in an identity-based policy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tt.fault.Times = 2
				w.Inject(tt.fault)
				for range tt.fault.Times {
					_, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), nil)
					wantRefusal(t, err, tt.code, tt.status, tt.message)
				}
				w.session(t, false)
				c := w.Calls("GetSessionToken")
				if len(c) != 3 || c[0].Code != tt.code || c[0].Status != tt.status || c[0].Fault != tt.fault.Kind || !c[2].OK() || c[2].Fault != 0 {
					t.Errorf("log: %+v", c)
				}
			})
		})
	}
}

func TestSDKRetriesThrottling(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.Inject(awssim.Fault{Action: "GetSessionToken", Kind: awssim.Throttle, Times: 2})
		c := w.sts(key(w.alice), func(o *sts.Options) { o.RetryMaxAttempts = 3 })
		if _, err := c.GetSessionToken(t.Context(), nil); err != nil {
			t.Errorf("GetSessionToken: %v", err)
		}
		if n := len(w.Calls("GetSessionToken")); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
	})
}

func TestGarbage(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for _, status := range []int{0, http.StatusForbidden} {
			w.Inject(awssim.Fault{Kind: awssim.Garbage, Status: status, Times: 1})
			out, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), nil)
			if err == nil && out.Credentials != nil {
				t.Errorf("status %d: the SDK found credentials in a proxy's page", status)
			}
		}
		for i, want := range []int{http.StatusOK, http.StatusForbidden} {
			if c := w.Calls()[i]; c.Status != want || c.OK() {
				t.Errorf("logged %d %s, want %d Garbage", c.Status, c.Code, want)
			}
		}
	})
}

// TestFaultsThatCut: the SDK sees a network error; whether the code is spent
// depends on whether the call was carried out.
func TestFaultsThatCut(t *testing.T) {
	for _, tt := range []struct {
		kind  awssim.FaultKind
		wait  time.Duration
		spent bool
		code  string // in the log
	}{
		{awssim.DropBefore, 0, false, "DropBefore"},
		{awssim.DropAfter, 0, true, "OK"},
		{awssim.Cut, 0, true, "OK"},
		{awssim.Hang, 20 * time.Second, false, "Hang"},
	} {
		for name, serve := range map[string]func() *awssim.Server{
			"pipe": func() *awssim.Server { return awssim.New().ServePipe() }, "socket": awssim.Start,
		} {
			t.Run(tt.kind.String()+" over a "+name, func(t *testing.T) {
				if name == "socket" {
					testCut(t, newWorld(t, serve()), tt.kind, min(tt.wait, 10*time.Millisecond), tt.spent, tt.code)
					return
				}
				bubble(t, func(t *testing.T, w *world) {
					begin := time.Now()
					testCut(t, w, tt.kind, tt.wait, tt.spent, tt.code)
					if got := time.Since(begin); got != tt.wait {
						t.Errorf("took %v, want %v", got, tt.wait)
					}
				})
			})
		}
	}
}

func testCut(t *testing.T, w *world, kind awssim.FaultKind, wait time.Duration, spent bool, code string) {
	t.Helper()
	w.Inject(awssim.Fault{Action: "GetSessionToken", Kind: kind, Wait: wait, Times: 1})
	in := &sts.GetSessionTokenInput{SerialNumber: &w.phone.Serial, TokenCode: aws.String(w.code(t, w.phone))}
	_, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), in)
	// Over a pipe the transport may notice the end while it still writes.
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("GetSessionToken = %v, want a broken connection", err)
	}
	c := w.Calls("GetSessionToken")[0]
	if c.Code != code || c.Fault != kind || c.OK() != spent || (c.IssuedAccessKeyID != "") != spent {
		t.Errorf("logged %s, issued %q; want %s", c.Code, c.IssuedAccessKeyID, code)
	}
	_, err = w.sts(key(w.alice)).GetSessionToken(t.Context(), in)
	if spent {
		wantRefusal(t, err, "AccessDenied", 403, badCode)
	} else if err != nil {
		t.Errorf("once more with the same code: %v", err)
	}
}

func TestHangLastsUntilTheClientGoes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		remove := w.Inject(awssim.Fault{Kind: awssim.Hang})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour)
		defer cancel()
		begin := time.Now()
		_, err := w.sts(key(w.alice)).GetCallerIdentity(ctx, nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 5*time.Hour {
			t.Errorf("GetCallerIdentity = %v after %v, want deadline exceeded after 5h", err, time.Since(begin))
		}
		remove()
		if _, err := w.sts(key(w.alice)).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Errorf("after the fault was removed: %v", err)
		}
	})
}

// TestCloseEndsHangs: a hanging call keeps nobody from leaving.
func TestCloseEndsHangs(t *testing.T) {
	w := newWorld(t, awssim.Start())
	reached := make(chan struct{})
	w.Inject(awssim.Fault{Kind: awssim.Hang, Match: func(awssim.Call) bool { close(reached); return true }})
	ended := make(chan error)
	go func() {
		_, err := w.sts(key(w.alice)).GetCallerIdentity(t.Context(), nil)
		ended <- err
	}()
	<-reached
	w.Close()
	if err := <-ended; err == nil {
		t.Error("the hanging call succeeded")
	}
}

func TestDelay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.Inject(awssim.Fault{Kind: awssim.Delay, Wait: 20 * time.Second, Times: 1})
		begin := time.Now()
		w.session(t, false)
		if got := time.Since(begin); got != 20*time.Second {
			t.Errorf("took %v, want 20s", got)
		}
		w.session(t, false)
		if got := time.Since(begin); got != 20*time.Second {
			t.Errorf("the second call took %v, want 0s", got-20*time.Second)
		}
	})
}

func TestWhichCallsAFaultBefalls(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		bob := w.AddUser(home, "bob")
		w.Inject(awssim.Fault{Action: "GetSessionToken", Kind: awssim.Throttle,
			Match: func(c awssim.Call) bool { return c.Principal == bob.ARN }})
		w.session(t, false)
		for range 2 {
			_, err := w.sts(key(bob)).GetSessionToken(t.Context(), nil)
			wantRefusal(t, err, "Throttling", 400, "Rate exceeded")
		}
		if _, err := w.sts(key(bob)).GetCallerIdentity(t.Context(), nil); err != nil {
			t.Errorf("another action: %v", err)
		}
		w.ClearFaults()
		if _, err := w.sts(key(bob)).GetSessionToken(t.Context(), nil); err != nil {
			t.Errorf("after ClearFaults: %v", err)
		}
	})
}
