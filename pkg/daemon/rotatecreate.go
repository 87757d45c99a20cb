package daemon

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

// begin asks for the new key and stores it. What can be tried for a refusal is
// tried before anything is made or deleted.
func (r *rotation) begin(ctx context.Context) error {
	keys, err := r.list(ctx)
	if err != nil {
		return err
	}
	r.learn(keys...)
	gone, err := r.inTheWay(ctx, keys)
	if err != nil {
		return err
	}
	if err := r.mayUpdate(ctx, keys); err != nil {
		return err
	}
	if gone == "" {
		return r.create(ctx, keys)
	}
	r.say("deleting the inactive key " + gone)
	if err := r.delete(ctx, gone); err != nil {
		return err
	}
	if err := r.create(ctx, keys); err != nil {
		return also(err, &creds.Error{Code: creds.CodeConflict, Op: "the inactive key " + gone + " is gone: it had to be deleted first"})
	}
	return nil
}

// create has the new key made, and stores it. keys are those that the user has.
func (r *rotation) create(ctx context.Context, keys []awsapi.AccessKey) error {
	by, err := r.holder.signer(ctx)
	if err != nil {
		return err
	}
	// AWS tells the secret once: from here on nobody's leaving stops it.
	ctx = context.WithoutCancel(ctx)
	var had []string
	for _, k := range keys {
		had = append(had, k.ID)
	}
	for range 2 { // a keyring may ask somebody first: the next time it is quick
		begun := r.now().UTC().Truncate(time.Second)
		if err := r.change(ctx, func(i *keyItem) {
			i.Rotation = &journal{Step: localapi.RotationCreating, Begun: begun, Had: had, KeepOld: r.keepOld}
		}); err != nil {
			return err
		}
		if r.now().Sub(begun) < lostSlack {
			break
		}
	}
	made, err := r.aws.CreateAccessKey(ctx, by, r.user)
	if err != nil {
		return r.notCreated(ctx, err)
	}
	r.learn(awsapi.AccessKey{ID: made.AccessKeyID, Active: true, Created: made.Created})
	return r.keep(ctx, made.Credentials)
}

// inTheWay is the key that is to be deleted so that the user can have another, or
// empty: AWS gives two at most
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
func (r *rotation) inTheWay(ctx context.Context, keys []awsapi.AccessKey) (id string, err error) {
	if len(keys) < mostKeys {
		return "", nil
	}
	others := slices.DeleteFunc(slices.Clone(keys), func(k awsapi.AccessKey) bool { return k.ID == r.item.AccessKeyID })
	i := slices.IndexFunc(others, func(k awsapi.AccessKey) bool { return !k.Active })
	if !r.deleteInactive || i < 0 {
		return "", r.tooMany(ctx, others)
	}
	return others[i].ID, nil
}

// mostKeys is how many keys AWS gives a user.
const mostKeys = 2

// tooMany tells which keys are in the way, and when they were used.
func (r *rotation) tooMany(ctx context.Context, others []awsapi.AccessKey) error {
	hint := ""
	var each []string
	for _, k := range others {
		use, err := r.lastUsed(ctx, k.ID)
		if k.Active {
			each = append(each, k.ID+" (active, "+lastUse(use, err)+")")
			hint = first(hint, "find out who uses it; then run: aws iam delete-access-key --user-name "+r.user+" --access-key-id "+k.ID)
			continue
		}
		each = append(each, k.ID+" (inactive, "+lastUse(use, err)+")")
		hint = "run: mfad identity rotate " + r.identity + " --delete-inactive"
	}
	return &creds.Error{Code: creds.CodeConflict, Hint: hint,
		Op: r.user + " has two access keys already, and AWS gives no third: beside the one that mfad uses, " + strings.Join(each, " and ")}
}

// lastUse is a key's last use in words.
func lastUse(use awsapi.LastUse, err error) string {
	switch {
	case err != nil:
		return "AWS does not tell when it was last used"
	case use.At.IsZero():
		return "never used"
	}
	text := "last used " + use.At.UTC().Format(time.DateOnly) + " for " + first(use.Service, "an unknown service")
	if use.Region != "" {
		text += " in " + use.Region
	}
	return text
}

// mayUpdate sets the old key to what it is. The permission to deactivate is needed
// when the new key is in use already: that is too late to learn that it is missing.
func (r *rotation) mayUpdate(ctx context.Context, keys []awsapi.AccessKey) error {
	i := slices.IndexFunc(keys, func(k awsapi.AccessKey) bool { return k.ID == r.item.AccessKeyID })
	if i < 0 {
		return nil // it was deleted: there is nothing to deactivate
	}
	return r.setActive(ctx, keys[i].ID, keys[i].Active)
}

// notCreated ends a rotation whose new key did not come.
func (r *rotation) notCreated(ctx context.Context, why error) error {
	_, unsent := errors.AsType[*awsapi.NotSentError](why)
	switch code := creds.CodeOf(why); {
	case unsent, code != creds.CodeNetwork && code != creds.CodeUnavailable:
		return also(r.permission(why), r.clear(ctx))
	}
	r.say("AWS's answer was lost; looking for the key that it may have made")
	if err := r.findLost(ctx); err != nil {
		return err
	}
	return &creds.Error{Code: creds.CodeOf(why), Op: "no key was made, or it was deleted again: " + why.Error(), Hint: "try again: mfad identity rotate " + r.identity}
}

// Where the answer to CreateAccessKey is not known, a key that was made this long
// after it was sent can be the one: a call lasts 15 s at most. So long it may take
// until a key is listed.
const (
	lostWindow = 30 * time.Second
	lostSlack  = 5 * time.Second // AWS's time is not known to the second
	lostPause  = 5 * time.Second
)

// findLost deletes the key whose secret is lost, if there is one. Every other key
// that came to be there may be somebody else's: it is left and named.
func (r *rotation) findLost(ctx context.Context) error {
	j := r.item.Rotation
	var lost, strange []awsapi.AccessKey
	for {
		keys, err := r.list(ctx)
		if err != nil {
			return err
		}
		lost, strange = nil, nil
		for _, k := range keys {
			switch after := k.Created.Sub(j.Begun); {
			case k.ID == r.item.AccessKeyID || slices.Contains(j.Had, k.ID):
			case after < -lostSlack || after > lostWindow:
				strange = append(strange, k)
			default:
				lost = append(lost, k)
			}
		}
		if len(lost) > 0 || r.now().Sub(j.Begun) > lostWindow {
			break
		}
		if err := pause(ctx, lostPause); err != nil {
			return err
		}
	}
	var left []string
	var hint string
	for _, k := range strange {
		left = append(left, k.ID+" (made "+k.Created.UTC().Format(time.DateTime)+" UTC)")
		hint = r.byHand(k.ID)
	}
	for _, k := range lost {
		switch because, err := r.deleteLost(ctx, k); {
		case err != nil:
			return err
		case because != "":
			left = append(left, k.ID+" ("+because+")")
			hint = r.byHand(k.ID)
		}
	}
	if len(left) == 0 {
		return r.clear(ctx)
	}
	return also(&creds.Error{Code: creds.CodeConflict, Hint: hint,
		Op: "since a rotation of " + r.identity + " was cut off there is a key that mfad cannot tell to be its own: " + strings.Join(left, " and ") + "; nothing else was changed"},
		r.clear(ctx))
}

// deleteLost deletes a key unless it may be somebody else's, and says why it may.
func (r *rotation) deleteLost(ctx context.Context, k awsapi.AccessKey) (because string, err error) {
	use, err := r.lastUsed(ctx, k.ID)
	if err != nil && creds.CodeOf(err) != creds.CodeAccessDenied {
		return "", err
	}
	if err != nil || !use.At.IsZero() {
		return lastUse(use, err), nil
	}
	r.say("deleting the key " + k.ID + ", whose secret is lost")
	return "", r.delete(ctx, k.ID)
}

// keep stores the new key beside the old one. A key that cannot be stored is of no
// use to anybody.
func (r *rotation) keep(ctx context.Context, key creds.Credentials) error {
	var err error
	for range 3 {
		err = r.change(ctx, func(i *keyItem) {
			j := *i.Rotation
			j.Step, j.Other = localapi.RotationCreated, &otherKey{key.AccessKeyID, key.SecretAccessKey.Reveal(), r.now().UTC().Truncate(time.Second)}
			i.Rotation = &j
		})
		if err == nil {
			r.say("made and stored the key " + key.AccessKeyID)
			return nil
		}
		_ = pause(ctx, time.Second) // not to be interrupted
	}
	if left := r.delete(ctx, key.AccessKeyID); left != nil {
		return &creds.Error{Code: creds.CodeOf(err), Op: "the new key " + key.AccessKeyID + " could not be stored, and was not deleted either (" + left.Error() + "): " + err.Error(),
			Hint: r.byHand(key.AccessKeyID)}
	}
	return also(&creds.Error{Code: creds.CodeOf(err), Op: "the new key could not be stored, and was deleted again: " + err.Error(), Hint: creds.HintOf(err)}, r.clear(ctx))
}
