package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

// journal is what the keyring's item says of a rotation that is not over. It is
// part of the item, so that the keys and what is to be done with them change in
// one write: whatever is cut off at whatever moment, the item holds a key that
// works, and every other key that mfad has to do with.
type journal struct {
	Step  string    `json:"step"`            // such as [localapi.RotationCreated]
	Begun time.Time `json:"begun,omitzero"`  // when the new key was asked for, by AWS's clock
	Had   []string  `json:"had,omitempty"`   // ids of the keys that the user had before
	Other *otherKey `json:"other,omitempty"` // the key that is not in use; nil while creating
	// KeepOld has the old key deactivated and not deleted.
	KeepOld bool `json:"keep_old,omitempty"`
}

// otherKey is the key of an item that is not in use.
type otherKey struct {
	AccessKeyID     string    `json:"access_key_id"`
	SecretAccessKey string    `json:"secret_access_key"`
	Added           time.Time `json:"added"`
}

func (k otherKey) credentials() creds.Credentials {
	return creds.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: creds.NewSecret(k.SecretAccessKey)}
}

// swap puts the other key in use, and the one that was aside.
func (i *keyItem) swap() {
	other := i.Rotation.Other
	i.Rotation.Other = &otherKey{i.AccessKeyID, i.SecretAccessKey, i.Added}
	i.AccessKeyID, i.SecretAccessKey, i.Added = other.AccessKeyID, other.SecretAccessKey, other.Added
}

// iamKeys are the calls that a rotation makes.
type iamKeys interface {
	AccessKeys(ctx context.Context, by creds.Credentials, user string) ([]awsapi.AccessKey, error)
	CreateAccessKey(ctx context.Context, by creds.Credentials, user string) (awsapi.NewAccessKey, error)
	SetAccessKeyActive(ctx context.Context, by creds.Credentials, user, id string, active bool) error
	DeleteAccessKey(ctx context.Context, by creds.Credentials, user, id string) error
	AccessKeyLastUsed(ctx context.Context, by creds.Credentials, id string) (awsapi.LastUse, error)
	CallerIdentity(ctx context.Context, key creds.Credentials) (awsapi.Caller, error)
}

// keyHolder keeps an identity's item, and has its MFA session.
type keyHolder interface {
	// change stores what edit makes of the item as it is stored now.
	change(ctx context.Context, edit func(*keyItem)) (keyItem, error)
	// signer gives a living session, asked for if somebody can be.
	signer(ctx context.Context) (creds.Credentials, error)
	// ended tells that AWS does not know a session any more.
	ended(session creds.Credentials)
}

// rotation replaces an identity's key. Every step can be done again: after a crash
// the journal says with which to go on.
type rotation struct {
	aws            iamKeys
	holder         keyHolder
	identity       string
	arn, user      string // the IAM user's
	now            func() time.Time
	say            func(text string)
	learn          func(keys ...awsapi.AccessKey) // how old they are
	keepOld        bool
	deleteInactive bool

	item keyItem // as it was last stored
	// untouched tells that the old key was certainly not deactivated yet.
	untouched bool
	why       error  // why the old key is kept in use, where it is
	old       string // what became of the old key, as [localapi.RotateAnswer] has it
}

// finish does what the journal says is still to be done. Its error is why the old
// key stays in use, or what keeps the rotation from being over.
func (r *rotation) finish(ctx context.Context) error {
	for r.item.Rotation != nil {
		var err error
		switch step := r.item.Rotation.Step; {
		case step == localapi.RotationCreating:
			err = r.findLost(ctx)
		case r.item.Rotation.Other == nil:
			err = r.clear(ctx) // no mfad writes that
		case step == localapi.RotationCreated:
			err = r.takeUp(ctx)
		case step == localapi.RotationSwitched:
			err = r.retire(ctx)
		case step == localapi.RotationUndoing:
			err = r.undo(ctx)
		default:
			err = &creds.Error{Code: creds.CodeInternal, Op: "a newer mfad began a rotation of " + r.identity + " (step " + step + ")", Hint: "finish it with that version"}
		}
		if err != nil {
			return err
		}
	}
	return r.why
}

// takeUp puts the new key in use once AWS knows it.
func (r *rotation) takeUp(ctx context.Context) error {
	r.say("waiting until AWS knows the new key")
	switch err := r.works(ctx, r.item.Rotation.Other.credentials()); {
	case err == nil:
	case hopeless(err):
		return r.goBack(ctx, err)
	default:
		return err
	}
	if err := r.change(ctx, func(i *keyItem) {
		i.swap()
		i.Rotation.Step = localapi.RotationSwitched
	}); err != nil {
		return err
	}
	r.untouched = true
	r.say("identity " + r.identity + " uses the new key")
	return nil
}

// retire deactivates the old key, sees that all still works, and deletes it.
func (r *rotation) retire(ctx context.Context) error {
	inUse := creds.Credentials{AccessKeyID: r.item.AccessKeyID, SecretAccessKey: creds.NewSecret(r.item.SecretAccessKey)}
	old := r.item.Rotation.Other.AccessKeyID
	if err := r.works(ctx, inUse); err != nil {
		return r.goBackIf(ctx, err)
	}
	switch err := r.setActive(ctx, old, false); {
	case err == nil:
		r.untouched = false
		r.old = localapi.OldInactive
		r.say("deactivated the old key " + old)
	case errors.Is(err, awsapi.ErrNoSuchEntity):
		r.old = localapi.OldDeleted
	default:
		r.untouched = r.untouched && creds.CodeOf(err) == creds.CodeAccessDenied
		return r.goBackIf(ctx, err)
	}
	if err := r.works(ctx, inUse); err != nil {
		return r.goBackIf(ctx, err)
	}
	if !r.item.Rotation.KeepOld {
		if err := r.delete(ctx, old); err != nil {
			return err
		}
		r.old = localapi.OldDeleted
		r.say("deleted the old key " + old)
	}
	return r.clear(ctx)
}

// goBackIf goes back to the old key, unless waiting can cure why or the old key is
// of no more use. A key that was deactivated answers for a while yet, so that it is
// made active first, whatever it answers.
func (r *rotation) goBackIf(ctx context.Context, why error) error {
	if !hopeless(why) {
		return why
	}
	old := r.item.Rotation.Other
	if err := r.setActive(ctx, old.AccessKeyID, true); err != nil && !r.untouched {
		return why
	}
	if err := r.works(ctx, old.credentials()); err != nil {
		return why
	}
	r.old = localapi.OldActive
	return r.goBack(ctx, why)
}

// goBack has the old key in use, and the new one deleted next.
func (r *rotation) goBack(ctx context.Context, why error) error {
	r.why = &creds.Error{Code: creds.CodeOf(why), Op: "the key of identity " + r.identity + " was not replaced: " + why.Error(), Hint: creds.HintOf(why)}
	return r.change(ctx, func(i *keyItem) {
		if i.Rotation.Step == localapi.RotationSwitched {
			i.swap()
		}
		i.Rotation.Step = localapi.RotationUndoing
	})
}

// undo deletes the new key.
func (r *rotation) undo(ctx context.Context) error {
	made := r.item.Rotation.Other.AccessKeyID
	r.say("deleting the new key " + made + " again")
	if err := r.delete(ctx, made); err != nil {
		left := &creds.Error{Code: creds.CodeOf(err), Hint: creds.HintOf(err), Op: "the new key " + made + " is not in use and was not deleted: " + err.Error()}
		if r.why == nil {
			return left
		}
		left.Op = r.why.Error() + "; and " + left.Op
		return left
	}
	return r.clear(ctx)
}
