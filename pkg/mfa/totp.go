package mfa

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// leastSeed is how many bytes a seed has at least (RFC 4226, R6).
const leastSeed = 16

// ParseSeed reads the seed of a virtual device as AWS shows it (base32, blanks and
// case do not matter), or as a QR code has it (otpauth://). Its bytes are what
// [CodeAt] takes. The error is a [creds.Error] with [creds.CodeUsage] and repeats
// nothing of it.
func ParseSeed(text string) (creds.Secret, error) {
	bad := func(why string) (creds.Secret, error) {
		return creds.Secret{}, &creds.Error{Code: creds.CodeUsage, Op: "this is no seed of a virtual device: " + why,
			Hint: "give the secret key that AWS shows beside the QR code"}
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(strings.ToLower(text), "otpauth:") {
		u, err := url.Parse(text)
		if err != nil || !strings.EqualFold(u.Host, "totp") {
			return bad("the address is not otpauth://totp/")
		}
		q := u.Query()
		if d, a, p := q.Get("digits"), q.Get("algorithm"), q.Get("period"); d != "" && d != "6" || a != "" && !strings.EqualFold(a, "SHA1") || p != "" && p != "30" {
			return bad("AWS's devices give six digits, by SHA1, every 30 seconds")
		}
		text = q.Get("secret")
	}
	text = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(text))
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil {
		return bad("it is not base32")
	}
	if len(seed) < leastSeed {
		return bad(fmt.Sprintf("it has %d bytes, and %d are the least", len(seed), leastSeed))
	}
	return creds.NewSecret(string(seed)), nil
}

// FormatSeed gives a seed as [ParseSeed] reads it; nothing for nothing.
func FormatSeed(seed creds.Secret) creds.Secret {
	return creds.NewSecret(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(seed.Reveal())))
}

// CodeAt is the code that a virtual device with that seed shows at t (RFC 6238, with
// SHA-1 and six digits, as AWS's virtual devices), where each lasts for step.
func CodeAt(seed creds.Secret, t time.Time, step time.Duration) creds.Secret {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(t.UnixNano()/int64(step)))
	mac := hmac.New(sha1.New, []byte(seed.Reveal()))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:at+4]) & 0x7fffffff
	return creds.NewSecret(fmt.Sprintf("%06d", n%1_000_000))
}
