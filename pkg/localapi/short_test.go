package localapi

import (
	"testing"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// TestWord: what a person should know first wins, of what the name is about.
func TestWord(t *testing.T) {
	id := func(name, state string) IdentityStatus { return IdentityStatus{Name: name, State: state} }
	p := func(name, identity, state string) ProfileStatus {
		return ProfileStatus{Name: name, Identity: identity, State: state}
	}
	asked := id("corp", "ready")
	asked.Prompt = &mfa.Question{}
	closed := id("corp", "failing")
	closed.Error = &Error{Code: creds.CodeKeyringLocked}
	cut := id("corp", "failing")
	cut.Error = &Error{Code: creds.CodeNetwork}
	weak := p("a", "corp", "failing")
	weak.Error = cut.Error
	for _, tt := range []struct {
		what       string
		st         Status
		name, want string
	}{
		{"nothing is configured", Status{}, "", ""},
		{"all is well", Status{Identities: []IdentityStatus{id("corp", "ready")}, Profiles: []ProfileStatus{p("a", "corp", "fresh")}}, "", ""},
		{"it is on its way", Status{Profiles: []ProfileStatus{p("a", "corp", "refreshing"), p("b", "corp", "waiting")}}, "", ""},
		{"a code is missing", Status{Identities: []IdentityStatus{id("corp", "mfa_required")}}, "", "mfa"},
		{"a code is asked for before it is missing", Status{Identities: []IdentityStatus{asked}}, "", "mfa"},
		{"it is only just starting", Status{Identities: []IdentityStatus{id("corp", "failing")}}, "", ""},
		{"the last refresh failed", Status{Profiles: []ProfileStatus{weak}}, "", "failing"},
		{"a conflict is worse", Status{Profiles: []ProfileStatus{weak, p("b", "corp", "conflict")}}, "", "conflict"},
		{"nothing usable is worse", Status{Profiles: []ProfileStatus{p("a", "corp", "conflict"), p("b", "corp", "expired")}}, "", "expired"},
		{"a code comes first", Status{Profiles: []ProfileStatus{p("a", "corp", "expired"), p("b", "corp", "mfa_required")}}, "", "mfa"},
		{"the network is away", Status{Identities: []IdentityStatus{cut}}, "", "failing"},
		{"the keyring is locked", Status{Identities: []IdentityStatus{closed}, Profiles: []ProfileStatus{p("a", "corp", "mfa_required")}}, "", "locked"},
		{"mfad is locked", Status{Daemon: DaemonStatus{Locked: true}, Profiles: []ProfileStatus{p("a", "corp", "mfa_required")}}, "a", "locked"},
		{"another profile does not count", Status{Profiles: []ProfileStatus{p("a", "corp", "fresh"), p("b", "corp", "expired")}}, "a", ""},
		{"nor does its identity", Status{Identities: []IdentityStatus{id("corp", "mfa_required")}, Profiles: []ProfileStatus{p("a", "corp", "fresh")}}, "a", ""},
		{"an identity stands for its profiles", Status{Identities: []IdentityStatus{id("corp", "ready"), id("other", "mfa_required")}, Profiles: []ProfileStatus{p("a", "corp", "expired")}}, "corp", "expired"},
		{"a pattern", Status{Profiles: []ProfileStatus{p("dev/a", "corp", "expired"), p("prod", "corp", "conflict")}}, "p*", "conflict"},
		{"an odd name", Status{Profiles: []ProfileStatus{p("a+b=c,d:e@f[", "corp", "expired")}}, "a+b=c,d:e@f[", "expired"},
	} {
		path := serve(t, &backend{status: tt.st})
		c := &Client{Sockets: []string{path}}
		if got, err := tt.st.Word(tt.name); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.what, got, err, tt.want)
		}
		if got, err := c.Short(t.Context(), tt.name); got != tt.want || err != nil {
			t.Errorf("%s, over the wire: %q, %v; want %q", tt.what, got, err, tt.want)
		}
		if _, err := c.Short(t.Context(), "nosuch"); creds.CodeOf(err) != creds.CodeUnknownProfile {
			t.Errorf("%s: an unknown name gives %v", tt.what, err)
		}
	}
	c := &Client{Sockets: []string{t.TempDir() + "/none"}}
	if _, err := c.Short(t.Context(), ""); creds.CodeOf(err) != creds.CodeDaemonDown {
		t.Errorf("without a daemon: %v", err)
	}
}

// TestShortIsPlainText, for prompts that ask with curl.
func TestShortIsPlainText(t *testing.T) {
	path := serve(t, &backend{status: Status{Identities: []IdentityStatus{{Name: "corp", State: "mfa_required"}}}})
	if status, body := raw(t, path, "GET /v1/short HTTP/1.1\r\nHost: mfad\r\n\r\n"); status != 200 || body != "mfa\n" {
		t.Errorf("status %d, %q", status, body)
	}
	if status, body := raw(t, path, "GET /v1/short?name=nosuch HTTP/1.1\r\nHost: mfad\r\n\r\n"); status != 404 {
		t.Errorf("an unknown name: status %d, %q", status, body)
	}
}
