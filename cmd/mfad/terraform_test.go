//go:build unix

package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// s3 is moto's S3 behind a proxy that notes which key signed what.
type s3 struct {
	url string

	mu    sync.Mutex
	calls []s3Call
}

type s3Call struct {
	at     time.Time
	method string
	path   string
	key    string // access key id
}

var credential = regexp.MustCompile(`Credential=([A-Z0-9]+)/`)

// startS3 runs moto.
func startS3(t *testing.T, m *machine) *s3 {
	t.Helper()
	needs(t, "moto", "moto_server", "--help")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	moto := m.command("moto_server", "-H", "127.0.0.1", "-p", port)
	if err := moto.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = moto.Process.Kill()
		_ = moto.Wait()
	})
	target := &url.URL{Scheme: "http", Host: address}
	for deadline := time.Now().Add(30 * time.Second); ; {
		if resp, err := http.Get(target.String() + "/moto-api/"); err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("moto does not answer")
		}
		time.Sleep(50 * time.Millisecond)
	}
	s := &s3{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := ""
		if found := credential.FindStringSubmatch(r.Header.Get("Authorization")); found != nil {
			key = found[1]
		}
		s.mu.Lock()
		s.calls = append(s.calls, s3Call{time.Now(), r.Method, r.URL.Path, key})
		s.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s.url = front.URL
	return s
}

// since gives the calls from a moment on.
func (s *s3) since(t time.Time) []s3Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []s3Call
	for _, c := range s.calls {
		if c.at.After(t) {
			calls = append(calls, c)
		}
	}
	return calls
}

const terraformConfig = `
terraform {
  backend "s3" {
    bucket         = "tfstate"
    key            = "demo/terraform.tfstate"
    region         = "us-east-1"
    use_path_style = true
    use_lockfile   = true
    endpoints      = { s3 = "S3", sts = "STS", iam = "STS" }
  }
}
variable "sleep" { default = 0 }
resource "terraform_data" "hello" {
  triggers_replace = [timestamp()]
  provisioner "local-exec" { command = "sleep ${var.sleep}" }
}
`

// TestTerraform: the S3 backend with its lock, once with a static profile, and
// once with credential_process and keys that run out in the middle of the apply.
func TestTerraform(t *testing.T) {
	t.Parallel()
	needs(t, "terraform", "terraform", "version")
	needs(t, "aws-cli", "aws", "--version")
	m := newMachine(t, 900) // a role lives 4 s, a session 144 s
	s := startS3(t, m)
	m.addAlice()
	m.addProfile("tf-static", "Admin")
	m.addProfile("tf-process", "Admin", "--write", "process")
	m.login()
	m.env = append(m.env, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE="+m.write("terraformrc", "", 0o600))
	work := m.path("work")
	m.write("work/main.tf", strings.NewReplacer(`"S3"`, `"`+s.url+`"`, `"STS"`, `"`+m.sim.URL+`"`).Replace(terraformConfig), 0o600)
	terraform := func(profile string, args ...string) result {
		t.Helper()
		cmd := m.command("terraform", append(args, "-input=false", "-no-color")...)
		cmd.Dir = work
		cmd.Env = append(cmd.Env, "AWS_PROFILE="+profile)
		return finish(cmd)
	}
	if r := finish(m.command("aws", "--profile", "tf-static", "--endpoint-url", s.url, "s3", "mb", "s3://tfstate")); r.status != 0 {
		t.Fatalf("make a bucket: %s", r.stderr)
	}
	if r := terraform("tf-static", "init"); r.status != 0 {
		t.Fatalf("init: %s%s", r.stdout, r.stderr)
	}

	t.Run("static", func(t *testing.T) {
		begin := time.Now()
		if r := terraform("tf-static", "apply", "-auto-approve"); r.status != 0 || !strings.Contains(r.stdout, "Apply complete!") {
			t.Fatalf("apply: %s%s", r.stdout, r.stderr)
		}
		stateSaved(t, m, s, begin)
	})

	t.Run("credential_process", func(t *testing.T) {
		begin := time.Now()
		r := terraform("tf-process", "apply", "-auto-approve", "-var", "sleep=6")
		if r.status != 0 || !strings.Contains(r.stdout, "Apply complete!") {
			t.Fatalf("apply longer than its keys: %s%s", r.stdout, r.stderr)
		}
		stateSaved(t, m, s, begin)
		keys := map[string]bool{}
		for _, c := range s.since(begin) {
			keys[c.key] = true
		}
		if len(keys) < 2 {
			t.Errorf("one key signed a 6 s apply although keys live 4 s: %v", keys)
		}
	})
	if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
		t.Errorf("%d codes were spent, want one", n)
	}
}

// stateSaved wants the state written and the lock released, each signed with a
// key that had not run out.
func stateSaved(t *testing.T, m *machine, s *s3, begin time.Time) {
	t.Helper()
	ends := map[string]time.Time{}
	for _, c := range m.sim.Calls("AssumeRole") {
		ends[c.IssuedAccessKeyID] = c.Expires
	}
	saved, released := false, false
	for _, c := range s.since(begin) {
		if end := ends[c.key]; c.key != "" && !c.at.Before(end.Add(100*time.Millisecond)) && c.method != http.MethodGet {
			// What was signed just before the end may arrive just after it.
			t.Errorf("%s %s at %v was signed with a key that ended at %v", c.method, c.path, c.at, end)
		}
		saved = saved || c.method == http.MethodPut && strings.HasSuffix(c.path, "terraform.tfstate")
		released = released || c.method == http.MethodDelete && strings.HasSuffix(c.path, "terraform.tfstate.tflock")
	}
	if !saved || !released {
		t.Errorf("state saved: %v, lock released: %v", saved, released)
	}
	if _, err := os.Stat(filepath.Join(m.path("work"), "errored.tfstate")); err == nil {
		t.Error("terraform left an errored.tfstate")
	}
}
