package awssim_test

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/mfad/mfad/pkg/awssim"
)

func TestCallLog(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		code := w.code(t, w.phone)
		out, err := w.sts(key(w.alice)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &w.admin.ARN, RoleSessionName: aws.String("alice"),
			DurationSeconds: aws.Int32(43200), SerialNumber: &w.phone.Serial, TokenCode: &code})
		if err != nil {
			t.Fatal(err)
		}
		got := w.Calls()
		want := []awssim.Call{{
			Time: w.Now(), Service: "sts", Action: "AssumeRole", Region: "eu-west-1", AccessKeyID: w.alice.AccessKeyID, Principal: w.alice.ARN,
			Parameters: []string{"Action", "DurationSeconds", "RoleArn", "RoleSessionName", "SerialNumber", "TokenCode", "Version"},
			RoleARN:    w.admin.ARN, RoleSessionName: "alice", SerialNumber: w.phone.Serial, DurationSeconds: 43200, TokenCode: true,
			Code: "OK", Status: 200, IssuedAccessKeyID: *out.Credentials.AccessKeyId, Expires: w.Now().Add(12 * time.Hour),
		}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		_, _ = w.sts(temporary(out.Credentials)).GetSessionToken(t.Context(), nil)
		if n := len(w.Calls("GetSessionToken", "GetCallerIdentity")); n != 1 {
			t.Errorf("%d calls of two actions, want 1", n)
		}
		log := fmt.Sprintf("%+v", w.Calls())
		for name, secret := range map[string]string{"code": " " + code, "secret": *out.Credentials.SecretAccessKey, "token": *out.Credentials.SessionToken} {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds the %s", name)
			}
		}
	})
}

// TestManyAtOnce has the race detector look at everything together: of many
// callers with one code exactly one gets a session.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, awssim.Start())
	code := w.code(t, w.phone)
	var wait sync.WaitGroup
	var mu sync.Mutex
	granted := 0
	for range 20 {
		wait.Go(func() {
			_, err := w.sts(key(w.alice)).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{SerialNumber: &w.phone.Serial, TokenCode: &code})
			w.UpdateRole(w.admin.ARN, func(r *awssim.Role) { r.Principals = append(r.Principals, other) })
			w.Inject(awssim.Fault{Action: "none", Kind: awssim.Throttle})()
			_ = w.phone.Code(w.Now())
			w.Calls()
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				granted++
			}
		})
	}
	wait.Wait()
	if granted != 1 {
		t.Errorf("%d sessions for one code, want 1", granted)
	}
}

// TestZeroSim: the zero value is an empty AWS.
func TestZeroSim(t *testing.T) {
	bubble(t, func(t *testing.T, _ *world) {
		w := newWorld(t, new(awssim.Sim).ServePipe())
		w.session(t, true)
	})
}

func TestMisuse(t *testing.T) {
	w := newWorld(t, awssim.Start())
	for name, misuse := range map[string]func(){
		"account of three digits": func() { w.AddUser("123", "bob") },
		"same user twice":         func() { w.AddUser(home, "Alice") },
		"same device twice":       func() { w.alice.AddMFA("alices-phone") },
		"role for 13 h":           func() { w.AddRole(awssim.Role{Account: home, Name: "x", MaxSessionDuration: 13 * time.Hour}) },
		"role without name":       func() { w.AddRole(awssim.Role{Account: home}) },
		"same role twice":         func() { w.AddRole(awssim.Role{Account: other, Name: "Admin"}) },
		"unknown role":            func() { w.DeleteRole("arn:aws:iam::222222222222:role/Nope") },
		"unknown session":         func() { w.RevokeSession("ASIAEXAMPLE000000001") },
		"unknown key":             func() { w.alice.DeleteKey("AKIAEXAMPLE000000001") },
		"unknown partition":       func() { w.SetPartition("moon") },
		"third key":               func() { w.alice.AddAccessKey(); w.alice.AddAccessKey() },
		"fault without kind":      func() { w.Inject(awssim.Fault{}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p, ok := recover().(string); !ok || !strings.HasPrefix(p, "awssim: ") {
					t.Errorf("panic = %v, want one of awssim's", p)
				}
			}()
			misuse()
		})
	}
	if _, err := w.Listen("no such address"); err == nil {
		t.Error("Listen on no address succeeded")
	}
}
