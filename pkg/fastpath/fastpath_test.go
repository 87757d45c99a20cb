package fastpath

import (
	"slices"
	"strings"
	"testing"
)

func TestShortOf(t *testing.T) {
	for args, want := range map[string]string{
		"--short": "", "--short prod": "prod", "prod --short": "prod", "--short a/b@c": "a/b@c", "--short prod-*": "prod-*", "--short ": "",
		"prod": "-", "": "-", "--short a b": "-", "--short --watch": "-", "--short -v": "-", "--short --json": "-", "--short=true": "-", "-- --short": "-",
		"--short a\"b": "-", "--short a\x01b": "-", "--short " + strings.Repeat("x", 65): "-",
	} {
		got, ok := shortOf(strings.Split(args, " "))
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%q: %q, want %q (- is for the ordinary command)", args, got, want)
		}
	}
}

func TestWordOf(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
	for answer, want := range map[string]string{
		head + "mfa\n": "mfa\n", head: "", head + "mf": "", head + "\n": "", head + "mfa\nx\n": "", head + "<b>\n": "",
		"HTTP/1.1 404 Not Found\r\n\r\nmfa\n": "", "HTTP/1.1 200 OK\r\n": "", "": "", head + `{"code":"x"}` + "\n": "",
	} {
		if got := string(wordOf([]byte(answer))); got != want {
			t.Errorf("%q: %q, want %q", answer, got, want)
		}
	}
}

func TestShortRequestIsOneRequest(t *testing.T) {
	got := shortRequest("a+b&c=d #%/\r\n")
	want := "GET /v1/short?name=a%2Bb%26c%3Dd%20%23%25%2F%0D%0A HTTP/1.1\r\nHost: mfad\r\nConnection: close\r\n\r\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSockets(t *testing.T) {
	for _, name := range []string{"MFAD_SOCKET", "XDG_RUNTIME_DIR", "MFAD_STATE_DIR", "XDG_STATE_HOME", "HOME"} {
		t.Setenv(name, "")
	}
	if got := sockets(); len(got) != 1 || !strings.HasPrefix(got[0], "/run/user/") {
		t.Errorf("without a home: %q", got)
	}
	t.Setenv("HOME", "/home/a")
	if got, want := sockets()[1:], []string{"/home/a/.local/state/mfad/mfad.sock"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Setenv("XDG_STATE_HOME", "/state")
	t.Setenv("XDG_RUNTIME_DIR", strings.TrimSuffix(sockets()[0], "/mfad/mfad.sock"))
	if got := sockets(); len(got) != 2 || got[1] != "/state/mfad/mfad.sock" {
		t.Errorf("the same place twice, or a wrong one: %q", got)
	}
	t.Setenv("XDG_RUNTIME_DIR", "relative")
	if got := sockets(); len(got) != 2 || got[1] != "/state/mfad/mfad.sock" {
		t.Errorf("a relative folder: %q", got)
	}
	t.Setenv("MFAD_SOCKET", "/x")
	if got := sockets(); len(got) != 1 || got[0] != "/x" {
		t.Errorf("a daemon that was named: %q", got)
	}
}
