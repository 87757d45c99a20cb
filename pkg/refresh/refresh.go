// Package refresh decides when credentials are due, fetches them once, and
// keeps serving the old ones meanwhile.
//
// An [Engine] holds one MFA session for each identity and one set of temporary
// credentials for each profile. It renews both by the wall clock, asks for a
// code only where nothing else helps, retries what can be retried, and hands
// every batch of new credentials to a [Sink] in one piece. It never reads a
// file, a keyring or the network itself: it says in [AWS], [Codes] and [Sink]
// what it needs.
package refresh

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/plan"
)

// Identity is what the engine has to know of an identity.
type Identity struct {
	Name, Serial    string
	Account         string // of the IAM user; empty: not known
	SessionDuration time.Duration
	// Unattended tells that codes come without a person.
	Unattended bool
	// Federated identities have no MFA session: their roles are assumed with an
	// assertion that the AWS implementation gets.
	Federated bool
	// Fingerprint changes when a session started before must not be used any more.
	Fingerprint string
}

// Profile is what the engine has to know of a profile.
type Profile struct {
	Name, Identity string
	Source         string // the profile whose credentials assume the role; empty: the identity's
	// Role is the role to assume; an empty ARN means the MFA session itself. Its
	// Duration is what the config asks for, zero for as long as AWS grants.
	Role creds.Role
	Mode plan.Mode
	// MaxAge is how old an MFA may be for the role's trust policy
	// (aws:MultiFactorAuthAge); zero: not given.
	MaxAge time.Duration
	Before Window
	// Fingerprint changes when credentials fetched before must not be served any more.
	Fingerprint string
}

// Via says how credentials came about.
type Via string

// The ways to credentials.
const (
	ViaSession     Via = "session"
	ViaDirect      Via = "direct"
	ViaChain       Via = "chain"
	ViaSAML        Via = "saml"
	ViaWebIdentity Via = "web_identity"
)

// AWS makes the calls. Errors carry the codes of package creds.
type AWS interface {
	// StartSession spends code on an MFA session; why says why. It refuses a code
	// that was sent before with [creds.CodeMFAUsedCode].
	StartSession(ctx context.Context, id Identity, code creds.Secret, why string) (creds.Credentials, error)
	// AssumeDirect spends code on p.Role, for p.Role.Duration, signed by id's
	// long-term key. It refuses a code as StartSession does.
	AssumeDirect(ctx context.Context, id Identity, p Profile, code creds.Secret, why string) (creds.Credentials, error)
	// AssumeRole assumes p.Role for p.Role.Duration, signed by from; for a
	// federated identity from is zero.
	AssumeRole(ctx context.Context, p Profile, from creds.Credentials) (creds.Credentials, Via, error)
	// MaxSessionDuration looks up for how long p.Role can be assumed.
	MaxSessionDuration(ctx context.Context, p Profile, from creds.Credentials) (time.Duration, error)
	// Verify asks whether AWS still knows credentials of an identity: nil if it does.
	Verify(ctx context.Context, id Identity, c creds.Credentials) error
}

// Codes hands out token codes. At most one call of Next runs for an identity.
type Codes interface {
	// Next blocks until there is a code for id. It is wanted for a profile's role,
	// or for the session where profile is empty; a code that was given for
	// something else, or that a program supplied, is handed out all the same. The
	// first call of a question has a nil prev; each further one gives the reason
	// why the last code did not do. It returns [ErrOver] where Settle took away
	// what it waits for.
	Next(ctx context.Context, id Identity, profile string, prev error) (Attempt, error)
	// Retarget tells that the code which a Next waits for is now wanted for
	// another profile.
	Retarget(id Identity, profile string)
	// Settle tells that nobody wants a code for profile (empty: the session) any
	// more: err is nil if it has what it wanted.
	Settle(id Identity, profile string, err error)
}

// ErrOver is what [Codes].Next returns, as it is, when what it waits for was
// settled: no code is wanted for that any more, and nobody failed.
var ErrOver = errors.New("the question is over")

// Attempt is one code on its way to AWS.
type Attempt struct {
	Code    creds.Secret
	Profile string // what it was given for; empty: the identity
	Program bool   // a program supplied it: it is for whatever is best
	// Done tells whoever gave the code what it was spent on and what became of
	// it. It may be nil.
	Done func(spent plan.Spend, err error)
}

// Sink takes what the engine has.
type Sink interface {
	// Publish makes the snapshot durable and visible to tools. It is never
	// called twice at once. After an error it is called again in a while, with
	// what there is then.
	Publish(ctx context.Context, s Saved) error
}

// Saved is all that a restart needs.
type Saved struct {
	Sessions map[string]SavedSession // by identity
	Profiles map[string]SavedProfile // what is served, by profile
	// Spare are credentials that live too, but not as long as what is served.
	Spare    map[string]SavedProfile
	Roles    map[string]plan.Known // what was learned, by the role's ARN
	Refusals []Refusal             // the last day's, oldest first
}

// SavedSession is an MFA session and what it was made for.
type SavedSession struct {
	Credentials creds.Credentials
	Fingerprint string
}

// SavedProfile is a profile's credentials and what they were made for.
type SavedProfile struct {
	Credentials creds.Credentials
	Via         Via
	Fingerprint string
}

// Options are the engine's surroundings. AWS, Codes and Sink are required.
type Options struct {
	AWS   AWS
	Codes Codes
	Sink  Sink
	Log   *slog.Logger // nil: nothing is logged
	// Now is AWS's time, as far as it is known, without a monotonic reading: what
	// AWS gave ends by that. Nil: this machine's wall clock.
	Now func() time.Time
	// Draw gives numbers from 0 to 1 that spread retries; nil: at random.
	Draw func() float64
	// Wait returns after d, or when wake fires, or when ctx ends; nil: by a
	// timer. A test puts a suspended machine here.
	Wait func(ctx context.Context, d time.Duration, wake <-chan struct{})
}

// Engine keeps credentials fresh. Make one with [New]; all methods may be
// called at the same time.
type Engine struct {
	Options
	wake    chan struct{} // nudges the loop; capacity 1
	flights sync.WaitGroup
	pace    *pace // of the AssumeRole calls

	mu       sync.Mutex
	run      context.Context // Start's, nil before and after it
	ids      map[string]*identity
	profiles map[string]*profile
	parked   map[string]SavedSession // of identities that the config does not have (so) just now: an edit may bring them back
	known    map[string]plan.Known
	looks    map[string]look // lookups under way or put off, by the role's ARN
	refusals refused
	risky    map[string]int // calls in the air that AWS may refuse for their length, by identity
	locked   bool
	changed  chan struct{} // closed and replaced on every change
	batch    batch
	looked   time.Time // when step last ran
	awake    time.Time // when jumpLocked last ran, by both of this machine's clocks; zero: look as after a jump
}

// identity is an Identity's state; guarded by Engine.mu.
type identity struct {
	Identity
	below     []*profile // its profiles
	session   creds.Credentials
	wants     map[string]*want // what somebody waits for a code for
	asker     *asker           // nil: no code is being asked for
	fail      failure          // of the last question
	verifying bool             // AWS is asked about the session; nobody is asked for a code meanwhile
}

// profile is a Profile's state; guarded by Engine.mu.
type profile struct {
	Profile
	// Of the living credentials the later-expiring are served.
	current creds.Credentials
	via     Via
	direct  creds.Credentials // came with a code of their own
	through creds.Credentials // came without
	way     Via               // of through

	flying      bool
	force       bool // refresh now, whatever the schedule says
	fail        failure
	off         failure       // of direct
	deniedYoung bool          // the role was denied to a young MFA too: its age is not the reason
	deniedAt    time.Duration // how old the session's MFA was when the role was denied
	used        time.Time     // when a client last asked
	wanted      time.Time     // when somebody last wanted it direct
}

// failure is the last failed try; the zero value means that the last one worked.
type failure struct {
	err   error
	count int
	next  time.Time // not to be tried again before
}

// New makes an engine that knows no identity yet.
func New(o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().Round(0) }
	}
	if o.Draw == nil {
		o.Draw = rand.Float64
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	return &Engine{
		Options:  o,
		wake:     make(chan struct{}, 1),
		pace:     newPace(),
		ids:      map[string]*identity{},
		profiles: map[string]*profile{},
		parked:   map[string]SavedSession{},
		known:    map[string]plan.Known{},
		looks:    map[string]look{},
		risky:    map[string]int{},
		changed:  make(chan struct{}),
		batch:    batch{dirty: map[string]bool{}},
	}
}

// Start keeps everything fresh until ctx ends: from its return on, questions are
// asked and roles fetched. The function that it gives waits for the end, and for
// the engine's own calls.
func (e *Engine) Start(ctx context.Context) (wait func()) {
	e.mu.Lock()
	e.run = ctx
	e.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			begun := time.Now()
			next := e.step(e.Now())
			breathe(ctx, time.Since(begun))
			e.Wait(ctx, min(max(0, next.Sub(e.Now())), untilPoll()), e.wake)
		}
		e.mu.Lock()
		e.run = nil
		e.mu.Unlock()
		e.flights.Wait()
	}()
	return func() { <-ended }
}

// untilPoll is how long it is to the next full half minute. Whatever looks at
// the clock does it then, so that the machine wakes up once for all.
func untilPoll() time.Duration {
	t := time.Now()
	return t.Truncate(poll).Add(poll).Sub(t)
}

// breathe keeps the loop to a tenth of the time: a thousand calls that land one by
// one are not each worth a look at a thousand profiles. After a look that took
// next to nothing, as with some dozens of profiles, it does not pause.
func breathe(ctx context.Context, took time.Duration) {
	if pause := min(9*took, longestBreath); pause >= time.Millisecond {
		wait(ctx, pause, nil)
	}
}

// longestBreath bounds what a look that was slow by chance costs.
const longestBreath = 10 * time.Millisecond

// wait is Options.Wait by a timer.
func wait(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// Nudge makes the engine look at everything again at once, as after a sleep.
func (e *Engine) Nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// changedLocked wakes whoever waits for a change of state.
func (e *Engine) changedLocked() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// Configure takes a new set of identities and profiles. What stays the same
// keeps its credentials; what changed its fingerprint or went away is not served
// any more, but a session is found again where a later call takes that back.
func (e *Engine) Configure(ids []Identity, profiles []Profile) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.configureLocked(ids, profiles)
}

func (e *Engine) configureLocked(ids []Identity, profiles []Profile) {
	oldIDs, oldProfiles := e.ids, e.profiles
	e.ids, e.profiles = map[string]*identity{}, map[string]*profile{}
	for _, c := range ids {
		id := &identity{Identity: c, wants: map[string]*want{}}
		if old := oldIDs[c.Name]; old != nil && old.Fingerprint == c.Fingerprint {
			old.Identity = c
			id = old
		} else if s := e.parked[c.Name]; s.Fingerprint == c.Fingerprint {
			id.session = s.Credentials
			delete(e.parked, c.Name)
		}
		e.ids[c.Name] = id
	}
	for name, old := range oldIDs {
		if e.ids[name] != old {
			e.withdrawLocked(old)
			if !old.session.IsZero() {
				e.parked[name] = SavedSession{old.session, old.Fingerprint}
			}
		}
	}
	for _, c := range profiles {
		p := &profile{Profile: c}
		if old := oldProfiles[c.Name]; old != nil && old.Fingerprint == c.Fingerprint {
			old.Profile = c
			p = old
		}
		e.profiles[c.Name] = p
		e.serveLocked(p)
	}
	e.indexLocked()
	for _, id := range e.ids {
		e.dropWantsLocked(id)
	}
	e.touchLocked()
}

// indexLocked sorts the profiles by their identities.
func (e *Engine) indexLocked() {
	for _, id := range e.ids {
		id.below = nil
	}
	for _, p := range e.profiles {
		if id := e.ids[p.Identity]; id != nil {
			id.below = append(id.below, p)
		}
	}
}

// serveLocked picks what a profile serves: the identity's session where it has no
// role, else what lives longer.
func (e *Engine) serveLocked(p *profile) {
	id := e.ids[p.Identity]
	switch {
	case p.Role.ARN == "" && id != nil:
		p.current, p.via = id.session, ViaSession
	case p.direct.Expires.After(p.through.Expires):
		p.current, p.via = p.direct, ViaDirect
	default:
		p.current, p.via = p.through, p.way
	}
}

// touchLocked has everything published and planned anew.
func (e *Engine) touchLocked() {
	e.batch.all = true
	e.changedLocked()
	e.Nudge()
}
