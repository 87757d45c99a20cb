package refresh

import (
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// lasting gives credentials issued so long after nine, for so long.
func lasting(issued, lifetime time.Duration) creds.Credentials {
	return creds.Credentials{AccessKeyID: "ASIAEXAMPLE", Issued: nine.Add(issued), Expires: nine.Add(issued + lifetime)}
}

func TestDueAt(t *testing.T) {
	const day = 36 * time.Hour
	for _, tt := range []struct {
		name             string
		window           Window
		current, session creds.Credentials
		want             time.Duration // after nine
	}{
		{"half the lifetime by default", Window{}, lasting(0, time.Hour), lasting(0, day), 30 * time.Minute},
		{"a share", Window{Share: 0.25}, lasting(0, time.Hour), lasting(0, day), 45 * time.Minute},
		{"a fixed time", Window{Fixed: 10 * time.Minute}, lasting(0, time.Hour), lasting(0, day), 50 * time.Minute},
		{"a fixed time is capped at half", Window{Fixed: 50 * time.Minute}, lasting(0, time.Hour), lasting(0, day), 30 * time.Minute},
		{"no session: federated", Window{}, lasting(0, time.Hour), creds.Credentials{}, 30 * time.Minute},
		{"once more five minutes before the session ends", Window{}, lasting(day-20*time.Minute, time.Hour), lasting(0, day), day - 5*time.Minute},
		{"not twice in those five minutes", Window{}, lasting(day-4*time.Minute, time.Hour), lasting(0, day), day + 26*time.Minute},
		{"the planned time comes first", Window{}, lasting(day-36*time.Minute, time.Hour), lasting(0, day), day - 6*time.Minute},
		{"a short session caps the five minutes", Window{}, lasting(0, 12*time.Second), lasting(0, 8*time.Second), 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := dueAt(tt.window, tt.current, tt.session).Sub(nine); got != tt.want {
				t.Errorf("due %v after nine, want %v", got, tt.want)
			}
		})
	}
}

func TestRenewAt(t *testing.T) {
	for _, tt := range []struct {
		name       string
		lifetime   time.Duration
		unattended bool
		want       time.Duration
	}{
		{"a person is asked half an hour ahead", 36 * time.Hour, false, 36*time.Hour - 30*time.Minute},
		{"a program five minutes ahead", 36 * time.Hour, true, 36*time.Hour - 5*time.Minute},
		{"half of a short session at most", 15 * time.Minute, false, 7*time.Minute + 30*time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := renewAt(lasting(0, tt.lifetime), tt.unattended).Sub(nine); got != tt.want {
				t.Errorf("renewed after %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	network := &creds.Error{Code: creds.CodeNetwork}
	denied := &creds.Error{Code: creds.CodeAccessDenied}
	for _, tt := range []struct {
		name     string
		err      error
		count    int
		lifetime time.Duration
		draw     float64
		want     time.Duration
	}{
		{"the first pause is a second", network, 1, time.Hour, 0.5, time.Second},
		{"pauses grow", network, 4, time.Hour, 0.5, 10 * time.Second},
		{"to a minute and no further", network, 99, time.Hour, 0.5, time.Minute},
		{"a fifth shorter", network, 99, time.Hour, 0, 48 * time.Second},
		{"a fifth longer", network, 99, time.Hour, 1, 72 * time.Second},
		{"short lives are retried quickly", network, 99, 8 * time.Second, 0.5, time.Second},
		{"a refusal rests five minutes", denied, 1, time.Hour, 1, 5 * time.Minute},
		{"then fifteen", denied, 2, time.Hour, 1, 15 * time.Minute},
		{"then an hour", denied, 3, time.Hour, 1, time.Hour},
		{"then hourly", denied, 30, time.Hour, 1, time.Hour},
		{"a locked keyring is no refusal", &creds.Error{Code: creds.CodeKeyringLocked}, 1, 0, 0.5, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := retryAfter(tt.err, tt.count, tt.lifetime, tt.draw); got != tt.want {
				t.Errorf("pause %v, want %v", got, tt.want)
			}
		})
	}
}
