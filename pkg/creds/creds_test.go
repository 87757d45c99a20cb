package creds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestASecretDoesNotLeak prints a secret, alone and inside other values, in
// every way that a programmer might by accident.
func TestASecretDoesNotLeak(t *testing.T) {
	const text = "wJalrNotReal"
	s := NewSecret(text)
	c := Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: s, SessionToken: s}
	type hidden struct{ s Secret }
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "secret", s, "credentials", c, "pointer", &c, "hidden", hidden{s})
	}
	encoded, err := json.Marshal(map[string]any{"a": s, "b": c, "c": []Secret{s}})
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(encoded)
	for _, v := range []any{s, &s, c, &c, hidden{s}, []Secret{s}, map[string]Secret{"k": s}, fmt.Errorf("x: %v", s)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			printed += fmt.Sprintf(verb, v)
		}
	}
	for _, leak := range []string{text, fmt.Sprintf("%x", text)} {
		if strings.Contains(printed, leak) {
			t.Errorf("the secret was printed: %s", printed)
		}
	}
	if s.Reveal() != text || !s.Equal(NewSecret(text)) || s.Equal(NewSecret("other")) || !(Secret{}).IsZero() {
		t.Error("Reveal, Equal or IsZero is wrong")
	}
}

func TestUsableAt(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		c    Credentials
		want bool
	}{
		{"none", Credentials{}, false},
		{"a long-term key", Credentials{AccessKeyID: "AKIA"}, true},
		{"a second left", Credentials{AccessKeyID: "ASIA", Expires: now.Add(time.Second)}, true},
		{"at its end", Credentials{AccessKeyID: "ASIA", Expires: now}, false},
	} {
		if got := tt.c.UsableAt(now); got != tt.want {
			t.Errorf("%s: usable %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	inner := &Error{Code: CodeNetwork, Op: "reach AWS", Hint: "check the network"}
	outer := fmt.Errorf("refresh: %w", &Error{Code: CodeThrottled, Op: "assume the role", Err: inner})
	if got := CodeOf(outer); got != CodeThrottled {
		t.Errorf("CodeOf = %q, want the outermost", got)
	}
	if got := HintOf(outer); got != inner.Hint {
		t.Errorf("HintOf = %q, want the first that there is", got)
	}
	if got, want := outer.Error(), "refresh: assume the role: reach AWS"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if CodeOf(nil) != "" || CodeOf(errors.New("x")) != CodeInternal || HintOf(errors.New("x")) != "" {
		t.Error("an error that is none of ours has the wrong code or hint")
	}
}
