package daemon

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/state"
)

// rotations are what is under way, and what was learned, of all identities' keys.
type rotations struct {
	log  *slog.Logger
	dir  state.Dir
	turn chan struct{} // holds a token while an item of the keyring is changed
	wake chan struct{} // capacity 1: there may be something to do
	// settle is how long a session lives before AWS is asked how old its key is:
	// first comes what somebody waits for.
	settle time.Duration

	mu    sync.Mutex              // guards all below, and the file; taken after Daemon.mu
	busy  map[string]bool         // by identity: its key is being replaced or removed
	tries map[string]failedTry    // of rotations that are not over
	ages  map[string]state.KeyAge // by the key's id
}

// failedTry is the last try to finish a rotation; the zero value means that there
// was none.
type failedTry struct {
	err   error
	count int
	next  time.Time // not to be tried again before
}

func newRotations(log *slog.Logger, dir state.Dir) rotations {
	ages, err := dir.LoadKeys()
	if err != nil {
		log.Error("how old the keys are is not known, and is learned again", "error", err)
	}
	if ages == nil {
		ages = map[string]state.KeyAge{}
	}
	return rotations{log: log, dir: dir, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), settle: time.Minute,
		busy: map[string]bool{}, tries: map[string]failedTry{}, ages: ages}
}

// begin keeps an identity's key for the caller alone, until done is called.
func (r *rotations) begin(identity string) (done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[identity] {
		return nil, &creds.Error{Code: creds.CodeConflict, Op: "the key of identity " + identity + " is being replaced or removed", Hint: "wait for it; see: mfad status"}
	}
	r.busy[identity] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.busy, identity)
	}, nil
}

// nudge has the identities looked at again now.
func (r *rotations) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// retryPauses come after each failed try to finish a rotation; then the last again.
// AWS's refusals stay rare: several in a few minutes set off alarms.
func retryPauses() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
}

// tried notes how a try ended.
func (r *rotations) tried(identity string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.tries, identity)
		return
	}
	pauses := retryPauses()
	t := r.tries[identity]
	t.err, t.next = err, time.Time{}
	if code := creds.CodeOf(err); code != creds.CodeMFARequired && code != creds.CodeLocked { // those end with a login
		t.next = time.Now().Round(0).Add(pauses[min(t.count, len(pauses)-1)])
		t.count++
	}
	r.tries[identity] = t
}

// status is what the picture of an identity has of its key.
func (r *rotations) status(identity string, h held) (created *time.Time, open *localapi.RotationStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.step != "" {
		open = &localapi.RotationStatus{Step: h.step, Other: h.other, KeepOld: h.keepOld, Running: r.busy[identity], Error: localapi.WireError(r.tries[identity].err)}
	}
	return moment(r.ages[h.id].Created), open
}

// learn keeps when keys were made.
func (r *rotations) learn(keys ...awsapi.AccessKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ages := maps.Clone(r.ages)
	for _, k := range keys {
		age := ages[k.ID]
		if !k.Created.IsZero() {
			age.Created = k.Created.UTC()
		}
		if age.Created.IsZero() {
			age.Asked = time.Now().UTC().Truncate(time.Second)
		}
		ages[k.ID] = age
	}
	if maps.Equal(ages, r.ages) {
		return
	}
	r.ages = ages
	if err := r.dir.SaveKeys(ages); err != nil {
		r.log.Error("keep how old the keys are", "error", err)
	}
}

// askAgain is when AWS is asked again how old a key is, where it did not tell.
const askAgain = 30 * 24 * time.Hour

// unknown tells whether AWS is to be asked how old a key is.
func (r *rotations) unknown(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	age := r.ages[id]
	return id != "" && age.Created.IsZero() && time.Since(age.Asked) > askAgain
}

// postpone has AWS not asked how old a key is for a while.
func (r *rotations) postpone(id string, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ages[id] = state.KeyAge{Asked: time.Now().UTC().Add(wait - askAgain)}
}

// due is how long a rotation that is not over rests; ok is false while somebody is
// at it.
func (r *rotations) due(identity string) (wait time.Duration, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, time.Until(r.tries[identity].next)), !r.busy[identity]
}

// tendRotations finishes what was cut off, by a crash or else, as soon as a session
// lives, and learns how old the keys are.
func (d *Daemon) tendRotations(ctx context.Context) {
	for {
		d.mu.Lock()
		changed, ready := d.changed, d.keyring.ready
		d.mu.Unlock()
		again := make(<-chan time.Time)
		if ready && !d.isLocked() {
			if wait := d.tendKeys(ctx); wait > 0 {
				again = time.After(wait)
			}
		}
		select {
		case <-changed:
		case <-d.rotations.wake:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// tendKeys does what is due, and tells how long it is to the next; zero: nothing
// else is to be done.
func (d *Daemon) tendKeys(ctx context.Context) (next time.Duration) {
	later := func(wait time.Duration) {
		if next == 0 || wait < next {
			next = wait
		}
	}
	c := d.conf()
	for _, name := range c.IdentityNames() {
		session, lives := d.engine.Session(name)
		if !lives || c.Identities[name].Type != profile.TypeKey {
			continue
		}
		d.mu.Lock()
		h := d.held[name]
		d.mu.Unlock()
		if wait, idle := d.rotations.due(name); h.step != "" && idle {
			if wait == 0 {
				d.finishRotation(ctx, c.Identities[name])
				wait, _ = d.rotations.due(name)
			}
			if wait > 0 {
				later(wait)
			}
			continue
		}
		if !d.rotations.unknown(h.id) {
			continue
		}
		if wait := d.rotations.settle - time.Since(session.Issued); wait > 0 {
			later(wait)
			continue
		}
		d.learnAge(ctx, c.Identities[name], h)
	}
	return next
}

// finishRotation goes on with a rotation that was cut off, and asks nobody.
func (d *Daemon) finishRotation(ctx context.Context, id *profile.Identity) {
	done, err := d.rotations.begin(id.Name)
	if err != nil {
		return // somebody else is at it
	}
	defer done()
	ctx = about(ctx, subject{identity: id.Name, why: "a rotation was cut off"})
	r, err := d.rotation(ctx, id, &rotor{d: d, gift: gift{identity: id.Name}, quiet: true})
	if err != nil {
		d.rotations.tried(id.Name, err)
		return
	}
	r.say = func(text string) { d.Log.Info("key rotation", "identity", id.Name, "step", text) }
	err = r.goOn(ctx)
	if ctx.Err() != nil {
		return // the next start goes on
	}
	d.rotated(r, err)
	if err == nil {
		err = r.checkSession(ctx)
	}
	if err != nil {
		d.Log.Warn("key rotation", "identity", id.Name, "error", err, "hint", creds.HintOf(err))
	}
}

// learnAge asks AWS how old an identity's key is.
func (d *Daemon) learnAge(ctx context.Context, id *profile.Identity, h held) {
	ctx = about(ctx, subject{identity: id.Name, why: "how old the key is"})
	r, err := d.rotation(ctx, id, &rotor{d: d, gift: gift{identity: id.Name}, quiet: true})
	if err != nil {
		d.rotations.learn(awsapi.AccessKey{ID: h.id})
		return
	}
	by, err := r.holder.signer(ctx)
	if err != nil {
		return // with the next session
	}
	keys, err := r.aws.AccessKeys(ctx, by, r.user)
	if creds.IsTransient(err) {
		d.rotations.postpone(h.id, 10*time.Minute)
		return
	}
	d.rotations.learn(append(keys, awsapi.AccessKey{ID: h.id})...)
	d.mu.Lock()
	d.changedLocked()
	d.mu.Unlock()
}
