package awsapi

import (
	"context"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// callTimeout bounds one call, connection included: a hung proxy must not keep
// a profile from its next try.
const callTimeout = 15 * time.Second

// Names of the services, as a [Call] gives them.
const (
	serviceSTS    = "sts"
	serviceIAM    = "iam"
	serviceSignin = "signin"
)

// Call is one finished call to AWS, as [Endpoint.Observe] is told of it. It
// never holds a secret, a code or a token. A listing is one call, however many
// pages it takes.
type Call struct {
	Service string // sts, iam or signin
	Action  string // as CloudTrail names it: GetSessionToken, AssumeRole, GetRole, GetSigninToken ...
	// RoleARN is the role asked for. IAM takes a role's name alone: with GetRole
	// it is the answer's, and with UpdateRole and for failures empty.
	RoleARN string
	Direct  bool // AssumeRole with a token code
	// AccessKeyID is the long-term key that a call of IAM is about, CreateAccessKey's
	// being the answer's; empty for calls about no key.
	AccessKeyID string
	// Asked is the DurationSeconds, SessionDuration or MaxSessionDuration that
	// was asked for, in whole seconds; 0 if none was sent.
	Asked time.Duration
	// Given is how long the credentials that came back live by AWS's clock, in
	// seconds, the last one begun counted; 0 if none came.
	Given     time.Duration
	Expires   time.Time // of those credentials; zero if none came
	Principal string    // ARN that the answer names; empty if it names none
	// Err is nil where AWS did what was asked, else the error that the caller
	// got: a [creds.Error], in a [NotSentError] if the request never left.
	Err error
}

// answered adds what came back.
func (c *Call) answered(got any) {
	switch got := got.(type) {
	case creds.Credentials:
		// AWS cuts its times to the second, and the answer took its way: up.
		c.Given = (got.Lifetime() + time.Second - 1).Truncate(time.Second)
		c.Expires, c.Principal = got.Expires, got.Principal
	case Caller:
		c.Principal = got.ARN
	case RoleInfo:
		c.RoleARN = got.ARN
	case NewAccessKey:
		c.AccessKeyID = got.AccessKeyID
	}
}

// flight is one call under way. Only run makes one, and AWS is reached through
// one only, so that no call goes unbounded, unclassified or unobserved.
type flight struct {
	client *Client
	op     string // what is being done, for an error's text
	call   Call
	secret []creds.Secret // what no error may repeat
	sent   atomic.Bool    // the request left this machine
}

// run makes one call: do in bounded time, its error in the words of package
// creds, and the observer told of it whatever came of it.
func run[T any](ctx context.Context, c *Client, op string, what Call, do func(context.Context, *flight) (T, error)) (T, error) {
	f := &flight{client: c, op: op, call: what}
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	trace := &httptrace.ClientTrace{WroteHeaders: func() { f.sent.Store(true) }}
	got, err := do(httptrace.WithClientTrace(bounded, trace), f)
	if err != nil {
		var none T
		got, err = none, f.classify(err)
	} else {
		f.call.answered(got)
	}
	f.call.Err = err
	if c.endpoint.Observe != nil {
		c.endpoint.Observe(ctx, f.call)
	}
	return got, err
}

// reveal gives a secret's text to the request, and keeps it out of errors.
func (f *flight) reveal(s creds.Secret) string {
	f.secret = append(f.secret, s)
	return s.Reveal()
}

// Lengths from which on text counts as a secret: a token code has six digits,
// and shorter pieces of a longer secret occur by chance.
const (
	shortestSecret = 6
	shortestPiece  = 8
)

// repeats tells whether text holds a secret of the request, or a piece of one
// that is left when its punctuation is escaped or the rest cut off.
func (f *flight) repeats(text string) bool {
	text = strings.Join(strings.Fields(text), "") // a page may break a long word
	for _, s := range f.secret {
		whole := s.Reveal()
		if len(whole) >= shortestSecret && strings.Contains(text, whole) {
			return true
		}
		for _, piece := range strings.FieldsFunc(whole, notAlphanumeric) {
			if len(piece) >= shortestPiece && strings.Contains(text, piece) {
				return true
			}
		}
	}
	return false
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// asked is a duration as it is sent: whole seconds, 0 for none.
func asked(d time.Duration) time.Duration { return max(d, 0).Truncate(time.Second) }
