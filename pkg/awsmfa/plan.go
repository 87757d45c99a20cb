package awsmfa

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Names are the sections that a run works with.
type Names struct {
	Profile string // what both begin with
	Long    string // holds the long-term key
	Short   string // gets the short-term credentials
}

// Names gives the sections, from the arguments and AWS_PROFILE; an empty one
// counts as not set. Equal names are a [creds.CodeUsage] error.
func (o Options) Names(getenv func(string) string) (Names, error) {
	p := first(o.Profile, getenv("AWS_PROFILE"), "default")
	n := Names{Profile: p, Long: section(p, first(o.LongSuffix, "long-term")), Short: section(p, first(o.ShortSuffix, "none"))}
	if n.Long == n.Short {
		return n, &creds.Error{Code: creds.CodeUsage,
			Op:   "The value for '--long-term-suffix' cannot be equal to the value for '--short-term-suffix'",
			Hint: "leave both out for [" + p + "-long-term] and [" + p + "]"}
	}
	return n, nil
}

func section(profile, suffix string) string {
	if strings.EqualFold(suffix, "none") {
		return profile
	}
	return profile + "-" + suffix
}

// Validating is the first message of a run. The role in it is the argument, or
// what the profile's section says, whatever the environment says.
func (o Options) Validating(n Names, f File) string {
	role := ""
	if arn, ok := f.Get(n.Profile, keyAssumedRole); o.Role != "" || ok {
		role = "with assumed role: " + first(o.Role, arn)
	}
	return fmt.Sprintf("Validating credentials for profile: %s %s", n.Short, role)
}

// Key gives the long-term key of a section. A section or a key that is not there,
// or a temporary key, is a [creds.CodeConfig] error.
func (f File) Key(section string) (creds.Credentials, error) {
	if !f.Has(section) {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeConfig,
			Op: fmt.Sprintf("Long term credentials session '[%s]' is missing. You must add this section to your credentials file "+
				"along with your long term 'aws_access_key_id' and 'aws_secret_access_key'", section),
			Hint: "run: " + Name + " --setup, or for mfad's keyring: mfad setup"}
	}
	var values [2]string
	for i, key := range []string{keyID, keySecret} {
		if values[i], _ = f.Get(section, key); values[i] == "" {
			return creds.Credentials{}, &creds.Error{Code: creds.CodeConfig, Op: fmt.Sprintf("No option '%s' in section: '%s'", key, section),
				Hint: "add that line to [" + section + "]"}
		}
	}
	if token, _ := f.Get(section, keyToken); strings.HasPrefix(values[0], "ASIA") || token != "" {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeConfig,
			Op:   fmt.Sprintf("The key in section '[%s]' is a temporary one, and AWS gives no credentials for it", section),
			Hint: "put the long-term key of the IAM user, which begins with AKIA, into [" + section + "]"}
	}
	return creds.Credentials{AccessKeyID: values[0], SecretAccessKey: creds.NewSecret(values[1])}, nil
}

// HasKey tells whether a section holds any part of a key.
func (f File) HasKey(section string) bool {
	id, _ := f.Get(section, keyID)
	secret, _ := f.Get(section, keySecret)
	return id != "" || secret != ""
}

// Order is what a run is to fetch.
type Order struct {
	Names
	Device string
	Role   string // empty: an MFA session
	// noRole tells that no role was named anywhere, not even an empty one, which
	// leaves the role of cached credentials as it is.
	noRole   bool
	Duration int // seconds, unchecked
}

// Order gives what is to be fetched, from the arguments, else the environment,
// else the section of the long-term key, else aws-mfa's defaults. Without a
// device, or with a MFA_STS_DURATION that is no number, it is a
// [creds.CodeConfig] error.
func (o Options) Order(n Names, f File, getenv func(string) string) (Order, error) {
	want := Order{Names: n, Duration: o.Duration}
	device, _ := f.Get(n.Long, keyDevice)
	if want.Device = first(o.Device, getenv("MFA_DEVICE"), device); want.Device == "" {
		return want, &creds.Error{Code: creds.CodeConfig,
			Op:   `You must provide --device or MFA_DEVICE or set "aws_mfa_device" in ".aws/credentials"`,
			Hint: "find the device's ARN with: aws iam list-mfa-devices"}
	}
	role, inFile := f.Get(n.Long, keyWantedRole)
	want.Role = first(o.Role, getenv("MFA_ASSUME_ROLE"), role)
	want.noRole = want.Role == "" && !o.RoleNamed && !inFile
	return want, want.setDuration(getenv("MFA_STS_DURATION"))
}

// setDuration gives the order a duration that was not given.
func (w *Order) setDuration(env string) error {
	switch n, ok := integer(env); {
	case w.Duration != 0:
	case env == "" && w.Role != "":
		w.Duration = 3600
	case env == "":
		w.Duration = 43200
	case !ok:
		return &creds.Error{Code: creds.CodeConfig, Op: "MFA_STS_DURATION is not a whole number of seconds: " + strconv.Quote(env),
			Hint: "unset it, or set it to 900 to 129600"}
	default:
		w.Duration = n
	}
	return nil
}

// Fresh tells whether what is cached still serves, and says why or why not.
func (w Order) Fresh(force bool, f File, now time.Time, log *Log) bool {
	if !f.Has(w.Short) {
		log.Info("Short term credentials section %s is missing, obtaining new credentials.", w.Short)
		return false
	}
	fresh := true
	renew := func(say func(string, ...any), why string) { say("%s", why); fresh = false }
	const invalid = "Your existing credentials are missing or invalid, obtaining new credentials."
	for _, key := range []string{keyAssumed, keyID, keySecret, keyToken, keyOldToken, keyExpiration} {
		if _, ok := f.Get(w.Short, key); !ok {
			renew(log.Warning, invalid)
			break
		}
	}
	switch cached, assumed := f.Get(w.Short, keyAssumedRole); {
	case force:
		renew(log.Info, "Forcing refresh of credentials.")
	case w.Role != "" && (!assumed || cached != w.Role), assumed && w.noRole:
		renew(log.Info, "Obtaining credentials for a new role or profile.")
	}
	if !fresh {
		return false
	}
	text, _ := f.Get(w.Short, keyExpiration)
	switch expires, ok := parseExpiration(text); {
	case !ok:
		renew(log.Warning, invalid)
	case !expires.After(now):
		renew(log.Info, "Your credentials have expired, renewing.")
	default:
		log.Info("%s", StillValid(expires, now))
	}
	return fresh
}

// Left gives until when the credentials serve that aws-mfa left in a section which
// mfad has taken over and not written to yet. Role is what they are to be of, empty
// for an MFA session; false where they are not, or are over.
func (f File) Left(section, role string, now time.Time) (expires time.Time, ok bool) {
	text, _ := f.Get(section, keyExpiration)
	expires, ok = parseExpiration(text)
	cached, _ := f.Get(section, keyAssumedRole)
	_, written := f.Get(section, keyExpires)
	return expires, ok && expires.After(now) && cached == role && !written && f.HasKey(section)
}

// StillValid says that nothing has to be fetched.
func StillValid(expires, now time.Time) string {
	seconds := strconv.FormatFloat(float64(expires.Sub(now).Microseconds())/1e6, 'f', -1, 64)
	if !strings.Contains(seconds, ".") {
		seconds += ".0"
	}
	return fmt.Sprintf("Your credentials are still valid for %s seconds they will expire at %s", seconds, expires.UTC().Format(time.DateTime))
}

// What STS takes
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html,
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
const (
	leastSeconds, mostSeconds, mostRoleSeconds = 900, 129600, 43200
	leastSerial, mostSerial                    = 9, 256
	leastARN, mostARN                          = 20, 2048
)

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// Check looks, before a code is spent, at what STS would refuse whatever the code;
// session is the role session's name. The error has [creds.CodeUsage].
func (w Order) Check(session string) error {
	most := mostSeconds
	if w.Role != "" {
		most = mostRoleSeconds
	}
	refuse := func(hint, format string, args ...any) error {
		return &creds.Error{Code: creds.CodeUsage, Op: fmt.Sprintf(format, args...), Hint: hint}
	}
	switch {
	case w.Duration < leastSeconds || w.Duration > most:
		return refuse("give --duration in seconds", "The duration must be %d to %d seconds, and not %d", leastSeconds, most, w.Duration)
	case len(w.Device) < leastSerial || len(w.Device) > mostSerial:
		return refuse("find it with: aws iam list-mfa-devices", "The device '%s' is neither an ARN nor a serial number", w.Device)
	case w.Role == "":
		return nil
	case len(w.Role) < leastARN || len(w.Role) > mostARN || !strings.HasPrefix(w.Role, "arn:"):
		return refuse("a role's ARN looks like arn:aws:iam::123456789012:role/NAME", "The role '%s' is not an ARN", w.Role)
	case session == "":
		return refuse("give --role-session-name NAME", "You must specify a role session name via --role-session-name")
	case !sessionName.MatchString(session):
		return refuse("give --role-session-name NAME", "The role session name '%s' is not 2 to 64 of letters, digits and _+=,.@-", session)
	}
	return nil
}

// Prompt asks for the code.
func Prompt(device string, seconds int) string {
	return fmt.Sprintf("Enter AWS MFA code for device [%s] (renewing for %d seconds):", device, seconds)
}

// Fetching says what is asked of AWS.
func Fetching(section, role string, seconds int) string {
	if role != "" {
		return fmt.Sprintf("Assuming Role - Profile: %s, Role: %s, Duration: %d", section, role, seconds)
	}
	return fmt.Sprintf("Fetching Credentials - Profile: %s, Duration: %d", section, seconds)
}

// Success says how long what came lives.
func Success(seconds int, expires time.Time) string {
	return fmt.Sprintf("Success! Your credentials will expire in %d seconds at: %s", seconds, expires.UTC().Format("2006-01-02 15:04:05-07:00"))
}

// Seconds gives the whole seconds from now until then, 0 at least.
func Seconds(expires, now time.Time) int {
	return int(max(0, math.Ceil(expires.Sub(now).Seconds())))
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
