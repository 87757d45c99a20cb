package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/state"
)

// sessionsKey is the keyring's name for the key of STATE/sessions.
const sessionsKey = "sessions-key"

// keyName is the keyring's name for an identity's long-term key.
func keyName(identity string) string { return "identity/" + identity }

// keyItem is a long-term key as the keyring holds it.
type keyItem struct {
	AccessKeyID     string    `json:"access_key_id"`
	SecretAccessKey string    `json:"secret_access_key"`
	UserARN         string    `json:"user_arn,omitempty"`
	Added           time.Time `json:"added"`
	// TOTPSeed is the virtual device's seed, in base32, where the user gave it.
	TOTPSeed string `json:"totp_seed,omitempty"`
	// Rotation is one that is not over; nil: there is none.
	Rotation *journal `json:"rotation,omitempty"`
}

// held is what the keyring was found to hold for an identity; the zero value is
// for one that it was not asked about yet.
type held struct {
	asked, key, seed bool
	user             string // the ARN of the user whose key it is; empty: not known
	id               string // of the access key
	step, other      string // of a rotation that is not over: see [journal]
	keepOld          bool   // likewise
}

// heldOf is what is known of an item.
func heldOf(item keyItem) held {
	h := held{asked: true, key: true, seed: item.TOTPSeed != "", user: item.UserARN, id: item.AccessKeyID}
	if j := item.Rotation; j != nil {
		if h.step, h.keepOld = j.Step, j.KeepOld; j.Other != nil {
			h.other = j.Other.AccessKeyID
		}
	}
	return h
}

// openKeyring is the keyring in use; guarded by Daemon.mu.
type openKeyring struct {
	store keyring.Store
	kind  string
	ready bool  // the sessions are read; the engine works
	err   error // why not
	// begun and looked number the looks at it: the last begun, the last ended.
	begun, looked int
	wake          chan struct{} // not guarded; capacity 1
}

// keyringPoll is how often a keyring that is locked or gone is looked at again:
// people unlock it at login, after the daemon was started.
const keyringPoll = 10 * time.Second

// tendKeyring waits until the keyring can be used and puts the engine to work,
// and does so again whenever it is nudged.
func (d *Daemon) tendKeyring(ctx context.Context) {
	for {
		d.mu.Lock()
		d.keyring.begun++
		d.mu.Unlock()
		err := d.openKeyring(ctx)
		d.mu.Lock()
		if err != nil && creds.CodeOf(err) != creds.CodeOf(d.keyring.err) {
			d.Log.Warn("the keyring cannot be used", "error", err)
		}
		d.keyring.err = err
		d.keyring.looked = d.keyring.begun
		d.changedLocked()
		d.mu.Unlock()
		again := make(<-chan time.Time)
		if err != nil {
			again = time.After(keyringPoll)
		}
		select {
		case <-again:
		case <-d.keyring.wake:
		case <-ctx.Done():
			return
		}
	}
}

// openKeyring gets what a restart needs and configures the engine.
func (d *Daemon) openKeyring(ctx context.Context) error {
	kr, err := d.theKeyring(ctx)
	if err != nil {
		return err
	}
	c := d.conf()
	if len(c.Identities) == 0 {
		return nil // nothing is asked of a keyring that nobody uses yet
	}
	if err := d.openSessions(ctx, kr); err != nil {
		return err
	}
	for name, id := range c.Identities {
		d.mu.Lock()
		known := d.held[name].key
		d.mu.Unlock()
		if id.Type == profile.TypeKey && !known {
			_, _ = d.longTerm(ctx, name) // what is missing is told when it is needed
		}
	}
	d.mu.Lock()
	ready := d.keyring.ready
	d.mu.Unlock()
	if ready {
		return nil
	}
	left := d.store.restored() // before the engine publishes what it has, which is nothing yet
	d.resume(left)
	d.mu.Lock()
	d.keyring.ready = true // who waits for it finds an engine that knows everything
	d.mu.Unlock()
	d.configure() // a config loaded meanwhile; from now on each load does this
	return nil
}

// theKeyring chooses the keyring once. A file that is yet to be made is no choice
// for good: where the daemon was started before the desktop, the system's keyring
// comes to be there later.
func (d *Daemon) theKeyring(ctx context.Context) (keyring.Store, error) {
	d.mu.Lock()
	have, c := d.keyring.store, d.config
	d.mu.Unlock()
	if have != nil && !isNew(have) {
		return have, nil
	}
	kind := "memory"
	kr := d.Keyring
	if kr == nil {
		var err error
		if kr, kind, err = d.chooseKeyring(ctx, c.Defaults.Keyring); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keyring.store != nil && (kind == string(keyring.KindFile) || !isNew(d.keyring.store)) {
		return d.keyring.store, nil // the same file, which a passphrase may have opened meanwhile
	}
	d.keyring.store, d.keyring.kind = kr, kind
	return kr, nil
}

// openSessions reads STATE/sessions, with the key that the keyring holds; the
// first time it makes one.
func (d *Daemon) openSessions(ctx context.Context, kr keyring.Store) error {
	if d.store.open() {
		return nil
	}
	key, err := kr.Get(ctx, sessionsKey)
	if creds.CodeOf(err) == creds.CodeKeyNotFound {
		if key, err = state.NewKey(); err == nil {
			err = kr.Set(ctx, sessionsKey, key)
		}
	}
	if err != nil {
		return &creds.Error{Code: creds.CodeOf(err), Op: "the keyring cannot be used", Hint: creds.HintOf(err), Err: errors.Unwrap(err)}
	}
	d.store.use(state.OpenSessions(d.dir, key))
	return nil
}

// longTerm reads an identity's key for one call.
func (d *Daemon) longTerm(ctx context.Context, identity string) (creds.Credentials, error) {
	item, err := d.readItem(ctx, identity)
	if err != nil {
		return creds.Credentials{}, err
	}
	return creds.Credentials{AccessKeyID: item.AccessKeyID, SecretAccessKey: creds.NewSecret(item.SecretAccessKey), Principal: item.UserARN}, nil
}

// readItem reads what the keyring holds for an identity.
func (d *Daemon) readItem(ctx context.Context, identity string) (keyItem, error) {
	kr, err := d.theKeyring(ctx)
	if err != nil {
		return keyItem{}, err
	}
	text, err := kr.Get(ctx, keyName(identity))
	if err != nil {
		if creds.CodeOf(err) == creds.CodeKeyNotFound {
			d.hold(identity, held{asked: true})
			return keyItem{}, &creds.Error{Code: creds.CodeKeyNotFound, Op: "the keyring holds no key of identity " + identity,
				Hint: "run: mfad identity add " + identity}
		}
		return keyItem{}, err
	}
	var item keyItem
	if err := json.Unmarshal([]byte(text.Reveal()), &item); err != nil || item.AccessKeyID == "" {
		return keyItem{}, &creds.Error{Code: creds.CodeKeyringFailed, Op: "the keyring's item of identity " + identity + " is no key",
			Hint: "run: mfad identity remove " + identity + ", then add it again"}
	}
	d.hold(identity, heldOf(item))
	return item, nil
}

// changeItem stores what edit makes of an identity's item as it is stored now. Two
// edits do not undo each other.
func (d *Daemon) changeItem(ctx context.Context, identity string, edit func(*keyItem)) (keyItem, error) {
	select {
	case d.rotations.turn <- struct{}{}:
	case <-ctx.Done():
		return keyItem{}, &creds.Error{Code: creds.CodeKeyringTimeout, Op: "the keyring is in use", Hint: "try again", Err: context.Cause(ctx)}
	}
	defer func() { <-d.rotations.turn }()
	item, err := d.readItem(ctx, identity)
	if err != nil {
		return keyItem{}, err
	}
	if item.Rotation != nil {
		own := *item.Rotation // edits change it in place
		item.Rotation = &own
	}
	edit(&item)
	return item, d.writeItem(ctx, identity, item)
}

// writeItem puts what is to be held for an identity into the keyring.
func (d *Daemon) writeItem(ctx context.Context, identity string, item keyItem) error {
	kr, err := d.theKeyring(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(item)
	if err != nil {
		return err
	}
	if err := kr.Set(ctx, keyName(identity), creds.NewSecret(string(text))); err != nil {
		return err
	}
	d.hold(identity, heldOf(item))
	return nil
}

// hold notes what the keyring holds for an identity. Where its codes now come
// from elsewhere, the desk and the engine are told.
func (d *Daemon) hold(identity string, h held) {
	d.mu.Lock()
	changed := d.held[identity].seed != h.seed
	d.held[identity] = h
	ready := d.keyring.ready
	d.mu.Unlock()
	if !changed {
		return
	}
	d.desk.Configure(d.settings(d.conf()))
	if ready {
		d.configure()
	}
}

// storeKey puts an identity's key into the keyring. What lies beside a key that is
// there already stays.
func (d *Daemon) storeKey(ctx context.Context, identity string, key creds.Credentials) error {
	if have, err := d.readItem(ctx, identity); err == nil && have.AccessKeyID == key.AccessKeyID {
		_, err := d.changeItem(ctx, identity, func(i *keyItem) { i.UserARN = first(key.Principal, i.UserARN) })
		return err
	}
	return d.writeItem(ctx, identity, keyItem{
		AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey.Reveal(), UserARN: key.Principal,
		Added: time.Now().UTC().Truncate(time.Second),
	})
}

// nudgeKeyring has the keyring looked at again now.
func (d *Daemon) nudgeKeyring() {
	select {
	case d.keyring.wake <- struct{}{}:
	default:
	}
}
