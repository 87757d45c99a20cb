package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// wire stands between mfad and the simulated AWS, and learns every secret that passes.
type wire struct {
	*httptest.Server

	mu      sync.Mutex
	known   map[string]string // secret to what it is
	breakIn string            // the action whose next answer is broken in the middle
}

var passing = map[string]*regexp.Regexp{
	"secret access key": regexp.MustCompile(`<SecretAccessKey>([^<]+)<`),
	"session token":     regexp.MustCompile(`<SessionToken>([^<]+)<`),
	"sign-in token":     regexp.MustCompile(`"SigninToken": ?"([^"]+)"`),
}

func newWire(t *testing.T, sim string) *wire {
	t.Helper()
	to, err := url.Parse(sim)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{known: map[string]string{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: w.learn, ErrorLog: log.New(io.Discard, "", 0),
	}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		form, _ := url.ParseQuery(string(body))
		w.knows("code", form.Get("TokenCode"))
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header.Set("Test-Action", form.Get("Action"))
		proxy.ServeHTTP(out, r)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *wire) knows(what, secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if secret != "" {
		w.known[secret] = what
	}
}

// learn reads an answer, and breaks it where that is wanted: valid up to its secrets,
// and none of XML behind them.
func (w *wire) learn(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	for what, pattern := range passing {
		for _, found := range pattern.FindAllSubmatch(body, -1) {
			w.knows(what, string(found[1]))
		}
	}
	w.mu.Lock()
	if w.breakIn != "" && w.breakIn == r.Request.Header.Get("Test-Action") {
		body, w.breakIn = bytes.ReplaceAll(body, []byte("</SessionToken>"), []byte("</SessionToken><<&%")), ""
	}
	w.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// breaks has the next answer to a call be broken.
func (w *wire) breaks(action string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breakIn = action
}

// among counts what is known, by what it is.
func (w *wire) among() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for _, what := range w.known {
		n[what]++
	}
	return n
}

// finds names the kinds of secrets that stand in a text, in the clear or in a form that
// is as good.
func (w *wire) finds(text string) (kinds []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for secret, what := range w.known {
		if what == "code" { // six digits may be a part of another number
			if regexp.MustCompile(`(^|[^0-9A-Za-z.])` + secret + `($|[^0-9A-Za-z])`).MatchString(text) {
				kinds = append(kinds, what)
			}
			continue
		}
		core := strings.TrimRight(secret, "=")
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(core))[:len(core)/3*4], hex.EncodeToString([]byte(secret))} {
			if strings.Contains(text, form) {
				kinds = append(kinds, what)
				break
			}
		}
	}
	return kinds
}

// day is a machine whose every word is kept.
type day struct {
	*machine
	wire *wire

	mu      sync.Mutex
	written map[string]*bytes.Buffer // by where
}

func (d *day) keeps(where, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.written[where] == nil {
		d.written[where] = &bytes.Buffer{}
	}
	d.written[where].WriteString(text)
}

// does runs a command with -v. Its stdout is kept too, unless it is there to hand
// secrets out.
func (d *day) does(status int, stdin string, args ...string) string {
	d.t.Helper()
	cmd := d.command(binary, append([]string{"-v"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	r := finish(cmd)
	what := strings.Join(args, " ")
	if r.status != status {
		d.t.Errorf("mfad %s: status %d, want %d: %s", what, r.status, status, r.stderr)
	}
	d.keeps("stderr of mfad "+what, r.stderr)
	return r.stdout
}

func (d *day) says(status int, stdin string, args ...string) {
	d.t.Helper()
	d.keeps("stdout of mfad "+strings.Join(args, " "), d.does(status, stdin, args...))
}

// looks keeps what /proc shows of each process of this machine's, until stop is called.
func (d *day) looks() (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		seen := map[string]bool{}
		for {
			processes, _ := filepath.Glob("/proc/[0-9]*")
			for _, p := range processes {
				env, err := os.ReadFile(p + "/environ")
				if err != nil || !bytes.Contains(env, []byte("HOME="+d.home+"\x00")) {
					continue
				}
				args, _ := os.ReadFile(p + "/cmdline")
				for what, text := range map[string]string{"the arguments": string(args), "the environment": string(env)} {
					if !seen[what+text] {
						seen[what+text] = true
						d.keeps(what+" of a process", text+"\n")
					}
				}
			}
			select {
			case <-quit:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() { close(quit); <-ended }
}

// startsVerbose starts a daemon that logs everything. Crash has it end as one with a
// bug would.
func (d *day) startsVerbose() (crash func()) {
	d.t.Helper()
	log, err := os.Create(d.path("daemon.out"))
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := d.command(binary, "-v", "daemon")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	log.Close()
	if !within(patience, func() bool { return d.daemon() == cmd.Process.Pid }) {
		d.t.Fatal("the daemon does not start")
	}
	return func() {
		d.t.Helper()
		_ = cmd.Process.Signal(syscall.SIGABRT)
		_ = cmd.Wait() // the trace tells
		trace, err := os.ReadFile(d.path("daemon.out"))
		if err != nil || !bytes.Contains(trace, []byte("SIGABRT")) || !bytes.Contains(trace, []byte("goroutine ")) {
			d.t.Errorf("the daemon left no trace of its crash (%v)", err)
		}
	}
}

// TestADayWithoutALeak: work as on any day, with what can go wrong in it; afterwards no
// secret stands in anything that mfad wrote but where it belongs.
func TestADayWithoutALeak(t *testing.T) {
	t.Parallel()
	needs(t, "curl", "curl", "--version")
	m := newMachine(t, 1)
	d := &day{machine: m, wire: newWire(t, m.sim.URL), written: map[string]*bytes.Buffer{}}
	const passphrase = "not-a-real-passphrase-at-all"
	d.wire.knows("passphrase", passphrase)
	d.wire.knows("long-term secret", m.alice.SecretAccessKey)
	m.env = append(m.env, "AWS_ENDPOINT_URL="+d.wire.URL, "AWS_ENDPOINT_URL_STS="+d.wire.URL, "MFAD_SIGNIN_URL="+d.wire.URL+"/federation",
		"MFAD_KEYRING_PASSPHRASE=", "MFAD_KEYRING_PASSPHRASE_FILE="+m.write("passphrase", passphrase+"\n", 0o600), "GOTRACEBACK=crash")
	const children = `(tr '\0' '\n' </proc/$$/environ; tr '\0' ' ' </proc/$$/cmdline) >>"$HOME/children"; `
	browser := m.write("browser", "#!/bin/sh\necho \"$@\" >>$HOME/children; "+children+"curl -s -o /dev/null \"$1\"\n", 0o700)

	stop := d.looks()
	crash := d.startsVerbose()
	d.says(0, m.alice.AccessKeyID+"\n"+m.alice.SecretAccessKey+"\n", "identity", "add", "corp", "--stdin")
	for name, more := range map[string][]string{"prod": {"--role-arn", "arn:aws:iam::222222222222:role/Admin"},
		"ro": {"--role-arn", "arn:aws:iam::222222222222:role/ReadOnly", "--write", "process"}, "base": {"--write", "none"}} {
		d.says(0, "", append([]string{"profile", "add", name, "--identity", "corp", "--region", "us-east-1"}, more...)...)
	}
	wrong := m.device.WrongCode()
	d.says(5, wrong+"\n", "login", "--code", "-")
	d.says(2, "12345\n", "login", "--code", "-")
	code := m.code()
	d.says(0, code+"\n", "login", "--code", "-")
	d.says(5, code+"\n", "login", "--code", "-")
	handed := d.does(0, "", "credential-process", "--profile", "prod") + d.does(0, "", "export", "ro")
	d.says(0, "", "exec", "prod", "--", "sh", "-c", children+"true")
	d.says(0, "", "console", "prod", "--browser", browser)
	handed += d.does(0, "", "console", "prod", "--print")
	for _, f := range []awssim.Fault{{Kind: awssim.ServerError, Times: 2}, {Kind: awssim.Garbage, Times: 1}, {Kind: awssim.Cut, Times: 1}, {Kind: awssim.Refuse, Code: "ValidationError", Message: "no", Times: 1}} {
		f.Action = "AssumeRole"
		m.sim.Inject(f)
		d.whatever("refresh", "prod")
		d.says(0, "", "status", "--json")
		m.sim.ClearFaults()
	}
	d.wire.breaks("AssumeRole")
	d.whatever("refresh", "prod")
	d.wire.breaks("GetSessionToken")
	d.says(6, m.code()+"\n", "login", "--code", "-")
	d.wire.breaks("getSigninToken")
	d.whatever("console", "prod", "--browser", browser)
	crash()
	d.says(0, m.code()+"\n", "login", "--code", "-") // by the daemon that it starts
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"role", "prod"}, {"audit"}, {"audit", "--json"}, {"identity", "list"}, {"profile", "list"}} {
		d.says(0, "", args...)
	}
	d.whatever("doctor")
	m.kill(syscall.SIGQUIT) // another trace, into the daemon's log
	d.says(0, "", "lock")
	stop()

	if kinds := d.wire.among(); kinds["session token"] < 4 || kinds["secret access key"] < 4 || kinds["code"] < 4 || kinds["sign-in token"] < 2 {
		t.Fatalf("this was no day: only %v passed", kinds)
	}
	if kinds := d.wire.finds(handed); len(kinds) < 5 {
		t.Errorf("in what tools were handed only %q are found: the search does not work", kinds)
	}
	d.keepsFiles()
	for where, text := range d.written {
		if kinds := d.wire.finds(text.String()); len(kinds) > 0 {
			t.Errorf("%s: has %q", where, kinds)
		}
	}
}

// whatever runs a command that may fail, and keeps what it says.
func (d *day) whatever(args ...string) {
	r := finish(d.command(binary, append([]string{"-v"}, args...)...))
	d.keeps("mfad "+strings.Join(args, " "), r.stdout+r.stderr)
}

// keepsFiles keeps every file of the machine's but the one that the user put the
// passphrase in.
func (d *day) keepsFiles() {
	d.t.Helper()
	n := 0
	err := filepath.Walk(d.home, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() || info.Name() == "passphrase" {
			return err
		}
		n++
		text, err := os.ReadFile(path)
		d.keeps(strings.TrimPrefix(path, d.home), string(text))
		return err
	})
	if err != nil || n < 8 {
		d.t.Errorf("only %d files were found (%v)", n, err)
	}
}
