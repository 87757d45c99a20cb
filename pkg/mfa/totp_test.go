package mfa

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// TestCodeAt: the vectors of RFC 6238, appendix B, in their last six digits.
func TestCodeAt(t *testing.T) {
	seed := creds.NewSecret("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if at > 9000000000 { // beyond what nanoseconds can count
			continue
		}
		if got := CodeAt(seed, time.Unix(at, 0), 30*time.Second).Reveal(); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestParseSeed(t *testing.T) {
	const seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	for _, text := range []string{seed, strings.ToLower(seed), " GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n", seed + "======",
		"otpauth://totp/Amazon%20Web%20Services:alice@example?secret=" + seed + "&issuer=Amazon%20Web%20Services"} {
		if got, err := ParseSeed(text); err != nil || got.Reveal() != "12345678901234567890" {
			t.Errorf("%q: %q, %v", text, got.Reveal(), err)
		}
	}
	for _, text := range []string{"", "123456", "GEZDGNBV", seed[:31] + "1", "otpauth://hotp/x?secret=" + seed, "otpauth://totp/x?secret=" + seed + "&digits=8",
		"otpauth://totp/x", "otpauth://totp/x?secret=" + seed + "&algorithm=SHA256", "otpauth://totp/x?secret=" + seed + "&period=60"} {
		_, err := ParseSeed(text)
		if creds.CodeOf(err) != creds.CodeUsage || creds.HintOf(err) == "" {
			t.Errorf("%q: %v", text, err)
		} else if len(text) > 8 && strings.Contains(err.Error(), text[:8]) && !strings.HasPrefix(text, "otpauth") {
			t.Errorf("the error repeats the seed: %v", err)
		}
	}
}

// TestAGeneratedCode comes without a person, once in a device's step.
func TestAGeneratedCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		d := desk(Settings{Methods: []Method{Process, Terminal}, Unattended: true, Generate: func(context.Context) (creds.Secret, error) {
			calls++
			if calls == 3 {
				return creds.Secret{}, errors.New("the keyring is locked")
			}
			return creds.NewSecret("123456"), nil
		}})
		begun := time.Now()
		for range 2 {
			a := <-next(t, d, nil)
			if a.err != nil || a.Code.Code.Reveal() != "123456" || !a.Program {
				t.Fatalf("got %+v", a)
			}
			a.Done = nil
			d.Settle("corp", "", nil)
		}
		if took := time.Since(begun); took < 20*time.Second || calls != 2 {
			t.Errorf("two codes in %v by %d calls, want one a step", took, calls)
		}
		if a := <-next(t, d, nil); creds.CodeOf(a.err) != creds.CodeMFAProcess || !strings.Contains(a.err.Error(), "the keyring is locked") {
			t.Errorf("a seed that cannot be had: %v", a.err)
		}
	})
}
