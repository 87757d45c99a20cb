package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

// crash is what a killed daemon is to a test: nothing comes after it.
type crash struct{}

// keyWorld is an IAM user, the keyring's item and an MFA session. Everything that a
// rotation does passes through at, where it can be cut off.
type keyWorld struct {
	t           *testing.T
	keys        map[string]*worldKey
	made        int
	item        []byte // as it lies in the keyring
	session     bool   // AWS knows it
	person      bool   // gives a code when asked
	broken      bool   // the key in use was stopped by somebody
	dropped     bool   // mfad knows that AWS does not
	asked       int
	propagation time.Duration
	sessionEnds string // with which action
	listLag     time.Duration
	stopLag     time.Duration // so long a key answers after it was deactivated

	points []string // what was done, in order
	cut    func(n int, what string, after bool) error
	denied map[string]bool
	said   []string
}

type worldKey struct {
	secret  string
	active  bool
	created time.Time
	stopped time.Time // when it was deactivated
	used    bool
}

const alice = "arn:aws:iam::111111111111:user/eng/alice"

func newKeyWorld(t *testing.T) *keyWorld {
	w := &keyWorld{t: t, keys: map[string]*worldKey{}, session: true, propagation: 8 * time.Second, stopLag: 4 * time.Second, denied: map[string]bool{}}
	w.keys["AKIAEXAMPLE000000000"] = &worldKey{secret: "s0", active: true, created: time.Now().Add(-24 * time.Hour), used: true}
	w.store(keyItem{AccessKeyID: "AKIAEXAMPLE000000000", SecretAccessKey: "s0", UserARN: alice, Added: time.Now().UTC(), TOTPSeed: "SEED"})
	return w
}

func (w *keyWorld) store(i keyItem) {
	text, err := json.Marshal(i)
	if err != nil {
		w.t.Fatal(err)
	}
	w.item = text
}

func (w *keyWorld) stored() (i keyItem) {
	if err := json.Unmarshal(w.item, &i); err != nil {
		w.t.Fatal(err)
	}
	return i
}

// at does one thing, or is cut off before or after it. At any moment the key that
// the keyring says is in use has to work.
func (w *keyWorld) at(what string, do func() error) error {
	w.points = append(w.points, what)
	n := len(w.points)
	if w.cut != nil {
		if err := w.cut(n, what, false); err != nil {
			return err
		}
	}
	err := do()
	if i := w.stored(); !w.broken && !w.known(i.AccessKeyID, i.SecretAccessKey) || i.TOTPSeed != "SEED" {
		w.t.Fatalf("after %q the keyring's key %s does not work (or its seed %q is gone): %v", w.points, i.AccessKeyID, i.TOTPSeed, w.list())
	}
	if w.cut != nil {
		if err := w.cut(n, what, true); err != nil {
			return err
		}
	}
	return err
}

func (w *keyWorld) known(id, secret string) bool {
	k := w.keys[id]
	return k != nil && k.active && k.secret == secret && (k.used || time.Since(k.created) >= w.propagation)
}

// answers is known as STS sees it, which hears of a deactivation late.
func (w *keyWorld) answers(id, secret string) bool {
	k := w.keys[id]
	return w.known(id, secret) || k != nil && k.secret == secret && time.Since(k.stopped) < w.stopLag
}

func (w *keyWorld) list() (all []string) {
	for id, k := range w.keys {
		all = append(all, fmt.Sprintf("%s %v", id[len(id)-1:], k.active))
	}
	slices.Sort(all)
	return all
}

var errGone = &creds.Error{Code: creds.CodeInvalidKey, Op: "AWS does not know it"}

// iam is a call of IAM as the session.
func (w *keyWorld) iam(action string, do func() error) error {
	return w.at(action, func() error {
		switch {
		case !w.session:
			return errGone
		case w.denied[action]:
			return &creds.Error{Code: creds.CodeAccessDenied, Op: "not authorized to perform iam:" + action}
		}
		if err := do(); err != nil {
			return err
		}
		if action == w.sessionEnds {
			w.session = false
		}
		return nil
	})
}

func (w *keyWorld) AccessKeys(context.Context, creds.Credentials, string) (keys []awsapi.AccessKey, err error) {
	err = w.iam("ListAccessKeys", func() error {
		for id, k := range w.keys {
			if time.Since(k.created) >= w.listLag {
				keys = append(keys, awsapi.AccessKey{ID: id, Active: k.active, Created: k.created.Truncate(time.Second)})
			}
		}
		return nil
	})
	return keys, err
}

func (w *keyWorld) CreateAccessKey(context.Context, creds.Credentials, string) (n awsapi.NewAccessKey, err error) {
	err = w.iam("CreateAccessKey", func() error {
		if len(w.keys) >= 2 {
			return &creds.Error{Code: creds.CodeRefused, Op: "LimitExceeded"}
		}
		w.made++
		n.AccessKeyID = fmt.Sprintf("AKIAEXAMPLE%09d", w.made)
		n.SecretAccessKey, n.Created = creds.NewSecret(fmt.Sprint("s", w.made)), time.Now().Truncate(time.Second)
		w.keys[n.AccessKeyID] = &worldKey{secret: n.SecretAccessKey.Reveal(), active: true, created: time.Now()}
		return nil
	})
	return n, err
}

func (w *keyWorld) SetAccessKeyActive(_ context.Context, _ creds.Credentials, _, id string, active bool) error {
	action := "UpdateAccessKey"
	if !active {
		action = "Deactivate"
	}
	return w.iam(action, func() error {
		if w.keys[id] == nil {
			return &creds.Error{Code: creds.CodeRefused, Err: awsapi.ErrNoSuchEntity}
		}
		if w.keys[id].active = active; !active {
			w.keys[id].stopped = time.Now()
		}
		return nil
	})
}

func (w *keyWorld) DeleteAccessKey(_ context.Context, _ creds.Credentials, _, id string) error {
	return w.iam("DeleteAccessKey", func() error {
		if w.keys[id] == nil {
			return &creds.Error{Code: creds.CodeRefused, Err: awsapi.ErrNoSuchEntity}
		}
		delete(w.keys, id)
		return nil
	})
}

func (w *keyWorld) AccessKeyLastUsed(_ context.Context, _ creds.Credentials, id string) (u awsapi.LastUse, err error) {
	err = w.iam("GetAccessKeyLastUsed", func() error {
		if k := w.keys[id]; k != nil && k.used {
			u = awsapi.LastUse{At: time.Now(), Service: "s3", Region: "eu-west-1"}
		}
		return nil
	})
	return u, err
}

func (w *keyWorld) CallerIdentity(_ context.Context, key creds.Credentials) (who awsapi.Caller, err error) {
	err = w.at("GetCallerIdentity", func() error {
		if key.AccessKeyID == "session" && w.session || w.answers(key.AccessKeyID, key.SecretAccessKey.Reveal()) {
			if k := w.keys[key.AccessKeyID]; k != nil {
				k.used = true
			}
			who.ARN = alice
			return nil
		}
		return errGone
	})
	return who, err
}

// change, signer and ended are the daemon's part.
func (w *keyWorld) change(_ context.Context, edit func(*keyItem)) (i keyItem, err error) {
	err = w.at("store", func() error {
		i = w.stored()
		edit(&i)
		w.store(i)
		return nil
	})
	return i, err
}

func (w *keyWorld) signer(context.Context) (creds.Credentials, error) {
	if w.dropped && !w.person {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeMFARequired, Op: "a code is needed"}
	}
	if w.dropped {
		w.asked, w.dropped, w.session = w.asked+1, false, true
	}
	return creds.Credentials{AccessKeyID: "session"}, nil
}

func (w *keyWorld) ended(creds.Credentials) { w.dropped = true }

func (w *keyWorld) rotation() *rotation {
	return &rotation{aws: w, holder: w, identity: "corp", arn: alice, user: "alice", now: time.Now, item: w.stored(), old: localapi.OldActive,
		say: func(s string) { w.said = append(w.said, s) }, learn: func(...awsapi.AccessKey) {}}
}

// rotate is a whole rotation by a daemon that may be killed in it.
func (w *keyWorld) rotate(set func(*rotation)) (killed bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, killed = p.(crash); !killed {
				panic(p)
			}
		}
	}()
	r := w.rotation()
	if set != nil {
		set(r)
	}
	if err = r.goOn(w.t.Context()); err == nil && r.item.AccessKeyID == "AKIAEXAMPLE000000000" {
		if err = r.begin(w.t.Context()); err == nil {
			err = r.finish(w.t.Context())
		}
	}
	return false, err
}

// restart is what the next daemon does by itself.
func (w *keyWorld) restart() (killed bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, killed = p.(crash); !killed {
				panic(p)
			}
		}
	}()
	return false, w.rotation().goOn(w.t.Context())
}

// settled fails unless the rotation is over and the user has one key, which is
// stored and works.
func (w *keyWorld) settled(what string) {
	w.t.Helper()
	i := w.stored()
	if i.Rotation != nil || len(w.keys) != 1 || !w.known(i.AccessKeyID, i.SecretAccessKey) {
		w.t.Errorf("%s: stored %s, journal %+v, at AWS %v; want one key that works, and no journal", what, i.AccessKeyID, i.Rotation, w.list())
	}
}

// keyBubble runs a test with a world in simulated time.
func keyBubble(t *testing.T, test func(w *keyWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newKeyWorld(t)) })
}

func (w *keyWorld) wantErr(err error, code creds.Code, words ...string) {
	w.t.Helper()
	text := fmt.Sprint(err) + " hint: " + creds.HintOf(err)
	if creds.CodeOf(err) != code {
		w.t.Errorf("got %q: %s; want %q", creds.CodeOf(err), text, code)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.t.Errorf("%q does not say %q", text, word)
		}
	}
	if strings.Contains(text, "\n") {
		w.t.Errorf("%q is no line", text)
	}
}

var errNet = &creds.Error{Code: creds.CodeNetwork, Op: "the connection was cut"}

var errKeyring = &creds.Error{Code: creds.CodeKeyringLocked, Op: "the keyring is locked", Err: errors.New("locked")}
