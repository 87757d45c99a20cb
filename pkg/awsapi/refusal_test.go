package awsapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

// refusal is an error that a test waits for: its code, and words of its text
// and of its hint.
type refusal struct {
	code       creds.Code
	says, hint string
}

func (want refusal) check(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", want.code)
	}
	if code := creds.CodeOf(err); code != want.code || !strings.Contains(err.Error(), want.says) {
		t.Errorf("got %q: %v\nwant %q and the words %q", code, err, want.code, want.says)
	}
	if hint := creds.HintOf(err); !strings.Contains(hint, want.hint) || want.hint == "" && strings.Contains(hint, "sts:AssumeRole") {
		t.Errorf("hint %q, want the words %q", hint, want.hint)
	}
	if strings.ContainsAny(err.Error(), "\n\x1b") || strings.Contains(err.Error(), "https response error") {
		t.Errorf("the text is no line for a person: %q", err)
	}
}

// keeps fails if an error, or one that it wraps, prints a secret in any way.
func keeps(t *testing.T, err error, secrets ...creds.Secret) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			text := fmt.Sprintf(verb, e) + creds.HintOf(e)
			for i, s := range secrets {
				if whole := s.Reveal(); whole != "" && (strings.Contains(text, whole) || strings.Contains(text, whole[:len(whole)*2/3])) {
					t.Errorf("secret %d stands in the error printed by %s: %s", i, verb, text)
				}
			}
		}
	}
}
