//go:build unix

package cli

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mfad/mfad/pkg/awssim"
)

// arrangeCommands are the scripts' hands on the simulated AWS, and their eyes.
func arrangeCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"role": cmdRole, "roleis": cmdRoleIs, "alice": cmdAlice, "faster": cmdFaster, "sent": cmdSent,
		"submit": cmdSubmit, "consolelife": cmdConsoleLife, "nosecrets": cmdNoSecrets, "revoke": cmdRevoke, "bob": cmdBob, "seed": cmdSeed,
	}
}

// roleOf gives the ARN of [ACCOUNT/]NAME; the account is 222222222222 by default.
func roleOf(name string) (arn, in, base string) {
	in, base, ok := strings.Cut(name, "/")
	if !ok {
		in, base = "222222222222", name
	}
	return "arn:aws:iam::" + in + ":role/" + base, in, base
}

// role [ACCOUNT/]NAME [KEY=VALUE...] makes or changes a role. Keys: max and age
// (durations), allow, deny and principals (lists with commas; alice is her ARN),
// mfa (true or false), description.
func cmdRole(ts *testscript.TestScript, _ bool, args []string) {
	a := awsOf(ts)
	arn, in, base := roleOf(args[0])
	if _, ok := a.sim.Role(arn); !ok {
		a.sim.AddRole(awssim.Role{Account: in, Name: base, Principals: []string{a.alice.ARN}, RequireMFA: true})
	}
	a.sim.UpdateRole(arn, func(r *awssim.Role) {
		for _, arg := range args[1:] {
			key, value, _ := strings.Cut(arg, "=")
			list := strings.FieldsFunc(value, func(c rune) bool { return c == ',' })
			var err error
			switch key {
			case "max":
				r.MaxSessionDuration, err = time.ParseDuration(value)
			case "age":
				r.MaxMFAAge, err = time.ParseDuration(value)
			case "mfa":
				r.RequireMFA, err = strconv.ParseBool(value)
			case "allow":
				r.Allow = list
			case "deny":
				r.Deny = list
			case "description":
				r.Description = value
			case "principals":
				for i := range list {
					list[i] = strings.ReplaceAll(list[i], "alice", a.alice.ARN)
				}
				r.Principals = list
			default:
				err = fmt.Errorf("a role has no %s", key)
			}
			ts.Check(err)
		}
	})
}

// roleis [ACCOUNT/]NAME MAX [DESCRIPTION] wants a role's MaxSessionDuration, and
// its description.
func cmdRoleIs(ts *testscript.TestScript, _ bool, args []string) {
	arn, _, _ := roleOf(args[0])
	r, _ := awsOf(ts).sim.Role(arn)
	most, err := time.ParseDuration(args[1])
	ts.Check(err)
	if r.MaxSessionDuration != most {
		ts.Fatalf("%s allows %s, want %s", arn, r.MaxSessionDuration, most)
	}
	if len(args) > 2 && r.Description != args[2] {
		ts.Fatalf("%s is described as %q, want %q", arn, r.Description, args[2])
	}
}

// alice allow|deny ACTION... changes what alice may do.
func cmdAlice(ts *testscript.TestScript, _ bool, args []string) {
	switch a := awsOf(ts).alice; args[0] {
	case "allow":
		a.Allow(args[1:]...)
	case "deny":
		a.Deny(args[1:]...)
	default:
		ts.Fatalf("usage: alice allow|deny ACTION...")
	}
}

// bob [deny ACTION...] makes another user, with a device and a role Bobs, who may not
// do these; $BOB_ID and $BOB_SECRET are the key.
func cmdBob(ts *testscript.TestScript, _ bool, args []string) {
	sim := awsOf(ts).sim
	bob := sim.AddUser(account, "bob")
	bob.AddMFA("bob")
	if len(args) > 1 && args[0] == "deny" {
		bob.Deny(args[1:]...)
	}
	sim.AddRole(awssim.Role{Account: "222222222222", Name: "Bobs", Principals: []string{bob.ARN}, RequireMFA: true})
	ts.Setenv("BOB_ID", bob.AccessKeyID)
	ts.Setenv("BOB_SECRET", bob.SecretAccessKey)
}

// revoke has AWS refuse alice's sessions, and the roles assumed with them.
func cmdRevoke(ts *testscript.TestScript, _ bool, _ []string) { awsOf(ts).alice.RevokeSessions() }

// seed FILE writes the seed of alice's device, for a program that supplies codes.
func cmdSeed(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(awsOf(ts).device.Seed+"\n"), 0o600))
}

// faster N has lifetimes run N times as fast. It comes before the first request.
func cmdFaster(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	awsOf(ts).sim.LifetimeFactor = n
}

// sent ACTION [CALL...] wants exactly these calls of an action so far, in this
// order. A call is ROLE/SECONDS of what it asked for, or for calls without a role
// who signed it (alice, session, the role's name) and /SECONDS if it asked for
// any; +code where it carried one, and !CODE where AWS refused it.
func cmdSent(ts *testscript.TestScript, _ bool, args []string) {
	var got []string
	for _, c := range awsOf(ts).sim.Calls(args[0]) {
		name := path.Base(c.RoleARN)
		if c.RoleARN == "" {
			name = signerOf(c)
		}
		if c.DurationSeconds > 0 {
			name += "/" + strconv.Itoa(c.DurationSeconds)
		}
		if c.TokenCode {
			name += "+code"
		}
		if !c.OK() {
			name += "!" + c.Code
		}
		got = append(got, name)
	}
	if g, w := strings.Join(got, " "), strings.Join(args[1:], " "); g != w {
		ts.Fatalf("calls of %s:\n got %s\nwant %s", args[0], g, w)
	}
}

// signerOf names who signed a call: alice with her own key, her session, or a role.
func signerOf(c awssim.Call) string {
	if role := strings.Split(c.Principal, ":assumed-role/"); len(role) == 2 {
		return path.Dir(role[1])
	}
	if strings.HasPrefix(c.AccessKeyID, "ASIA") && !strings.Contains(c.Principal, ":federated-user/") {
		return "session"
	}
	return path.Base(c.Principal)
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	formField  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// submit FILE does what a browser would: it opens the address that stands alone
// in FILE, or posts the form of the page in FILE.
func cmdSubmit(ts *testscript.TestScript, neg bool, args []string) {
	text := strings.TrimSpace(ts.ReadFile(args[0]))
	form := url.Values{}
	method, address := http.MethodGet, text
	if m := formAction.FindStringSubmatch(text); m != nil {
		method, address = http.MethodPost, html.UnescapeString(m[1])
		for _, f := range formField.FindAllStringSubmatch(text, -1) {
			form.Set(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil && neg {
		return
	}
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if (resp.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("%s of %s: %s\n%s", method, r.URL.Host, resp.Status, body)
	}
}

// consolelife N DURATION wants N logins to the console so far, the last of which
// lasts that long, give or take what a test takes.
func cmdConsoleLife(ts *testscript.TestScript, _ bool, args []string) {
	all := awsOf(ts).sim.ConsoleSessions()
	if strconv.Itoa(len(all)) != args[0] {
		ts.Fatalf("%d console sessions, want %s", len(all), args[0])
	}
	want, err := time.ParseDuration(args[1])
	ts.Check(err)
	last := all[len(all)-1]
	if got := last.Expires.Sub(last.Started); (got - want).Abs() > time.Minute {
		ts.Fatalf("the console of %s lasts %s, want %s", last.Principal, got, want)
	}
}

var secretLine = regexp.MustCompile(`(?m)^aws_(?:secret_access_key|session_token) = (\S+)$`)

// nosecrets FILE... wants no secret in the files: no key of alice's, no code that
// the script read, nothing of the credentials file, no token of the page in page.
func cmdNoSecrets(ts *testscript.TestScript, _ bool, args []string) {
	a := awsOf(ts)
	secrets := append([]string{a.alice.SecretAccessKey}, a.codes...)
	text, err := os.ReadFile(ts.Getenv("CREDENTIALS"))
	ts.Check(err)
	for _, m := range secretLine.FindAllStringSubmatch(string(text), -1) {
		secrets = append(secrets, m[1])
	}
	if page, err := os.ReadFile(ts.MkAbs("page")); err == nil {
		for _, f := range formField.FindAllStringSubmatch(string(page), -1) {
			if f[1] == "SigninToken" {
				secrets = append(secrets, html.UnescapeString(f[2]))
			}
		}
	}
	for _, file := range args {
		content := ts.ReadFile(file)
		for _, s := range secrets {
			if strings.Contains(content, s) {
				ts.Fatalf("%s holds a secret of %d characters", file, len(s))
			}
		}
	}
}
