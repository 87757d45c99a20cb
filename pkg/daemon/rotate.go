package daemon

import (
	"context"
	"strings"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
)

// rotor is the daemon as a rotation sees it.
type rotor struct {
	d    *Daemon
	gift gift // how a session is got; its code is spent at most once
	talk localapi.Talk
	// quiet: nobody is asked.
	quiet bool
}

// change implements keyHolder.
func (h *rotor) change(ctx context.Context, edit func(*keyItem)) (keyItem, error) {
	return h.d.changeItem(ctx, h.gift.identity, edit)
}

// signer implements keyHolder.
func (h *rotor) signer(ctx context.Context) (creds.Credentials, error) {
	identity := h.gift.identity
	if h.d.isLocked() {
		return creds.Credentials{}, refresh.ErrLocked
	}
	if c, ok := h.d.engine.Session(identity); ok {
		return c, nil
	}
	if !h.quiet {
		g := h.gift
		h.gift.code = ""
		if _, err := h.d.give(ctx, g, h.talk); err != nil {
			return creds.Credentials{}, err
		}
		if c, ok := h.d.engine.Session(identity); ok {
			return c, nil
		}
	}
	return creds.Credentials{}, &creds.Error{Code: creds.CodeMFARequired, Op: "identity " + identity + " has no MFA session, and its key is replaced as one", Hint: "run: mfad login " + identity}
}

// ended implements keyHolder.
func (h *rotor) ended(session creds.Credentials) {
	if c, ok := h.d.engine.Session(h.gift.identity); ok && c.AccessKeyID == session.AccessKeyID {
		h.d.engine.Forget(h.gift.identity)
	}
}

// Rotate implements [localapi.Backend]: it replaces an identity's long-term key, as
// its MFA session. A rotation that was cut off is finished first.
func (d *Daemon) Rotate(ctx context.Context, q localapi.RotateRequest, talk localapi.Talk) (localapi.RotateAnswer, error) {
	d.windows.seen(localapi.DisplayOf(ctx))
	c, err := d.inForce()
	if err != nil {
		return localapi.RotateAnswer{}, err
	}
	id, err := c.Identity(q.Name)
	switch {
	case err != nil:
		return localapi.RotateAnswer{}, err
	case id.Type != profile.TypeKey:
		return localapi.RotateAnswer{}, &creds.Error{Code: creds.CodeUsage, Op: "identity " + q.Name + " is federated and has no key"}
	case d.isLocked():
		return localapi.RotateAnswer{}, refresh.ErrLocked
	}
	if err := d.ready(ctx); err != nil {
		return localapi.RotateAnswer{}, err
	}
	done, err := d.rotations.begin(q.Name)
	if err != nil {
		return localapi.RotateAnswer{}, err
	}
	defer d.rotations.nudge() // what is left is the daemon's
	defer done()
	_, lives := d.engine.Session(q.Name)
	h := &rotor{d: d, talk: talk, gift: gift{identity: q.Name, code: q.Code, canAsk: q.CanAsk && talk.CanAsk(), timeout: timeout(q.TimeoutSeconds, loginDefault)}}
	ctx = about(ctx, subject{identity: q.Name, why: "identity rotate"})
	r, err := d.rotation(ctx, id, h)
	if err != nil {
		return localapi.RotateAnswer{}, err
	}
	a := localapi.RotateAnswer{Name: q.Name, UserARN: r.arn, OldKey: r.item.AccessKeyID, Old: localapi.OldActive}
	if j := r.item.Rotation; j != nil && j.Step == localapi.RotationSwitched {
		a.OldKey = j.Other.AccessKeyID
	}
	if lives && q.Code != "" {
		a.Note = "the code was not needed, and was not sent"
	}
	if q.DryRun {
		if _, a.Rotation = d.rotations.status(q.Name, heldOf(r.item)); a.Rotation != nil {
			a.Rotation.Running = false // it is this look that keeps the key
		}
		a.Keys, err = r.survey(ctx)
		return a, err
	}
	r.keepOld, r.deleteInactive, r.say = q.KeepOld, q.DeleteInactive, talk.Note
	return d.rotate(ctx, r, a)
}

// rotate replaces the key, and tells what came of it. Once the new key is in use
// what fails is told in the answer: the identity works.
func (d *Daemon) rotate(ctx context.Context, r *rotation, a localapi.RotateAnswer) (localapi.RotateAnswer, error) {
	err := r.goOn(ctx)
	if err == nil && r.item.AccessKeyID == a.OldKey {
		if err = r.begin(ctx); err == nil {
			err = r.finish(ctx)
		}
	}
	if ctx.Err() == nil { // else the daemon goes on by itself
		d.rotated(r, err)
	}
	if r.item.AccessKeyID == a.OldKey {
		return a, err
	}
	if err == nil {
		err = r.checkSession(ctx)
	}
	if a.NewKey, a.Old = r.item.AccessKeyID, r.old; creds.CodeOf(err) == creds.CodeMFARequired {
		text := "the MFA session of " + r.identity + " ended with its old key, and a code is needed"
		if r.item.Rotation != nil {
			text += "; then the old key is deleted"
		}
		err = &creds.Error{Code: creds.CodeMFARequired, Op: text, Hint: "run: mfad login " + r.identity}
	}
	a.Error = localapi.WireError(err)
	return a, nil
}

// goOn finishes a rotation that was cut off, if there is one.
func (r *rotation) goOn(ctx context.Context) error {
	j := r.item.Rotation
	if j == nil {
		return nil
	}
	r.say("finishing a rotation that was cut off")
	if r.keepOld && !j.KeepOld {
		if err := r.change(ctx, func(i *keyItem) { i.Rotation.KeepOld = true }); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// rotated records how a rotation ended, or where it stands.
func (d *Daemon) rotated(r *rotation, err error) {
	d.rotations.tried(r.identity, err)
	d.record(audit.Record{Action: audit.Rotate, Identity: r.identity, KeyID: r.item.AccessKeyID}.Ended(err))
	d.mu.Lock()
	d.changedLocked()
	d.mu.Unlock()
}

// rotation makes one of an identity's key as it is stored now.
func (d *Daemon) rotation(ctx context.Context, id *profile.Identity, h *rotor) (*rotation, error) {
	item, err := d.readItem(ctx, id.Name)
	if err != nil {
		return nil, err
	}
	cl, err := caller{d}.identityClient(id.Name, id.MFASerial)
	if err != nil {
		return nil, err
	}
	r := &rotation{aws: cl, holder: h, identity: id.Name, arn: item.UserARN, now: d.clock.Now, say: func(string) {}, learn: d.rotations.learn, item: item, old: localapi.OldActive}
	if r.arn == "" { // added without asking AWS
		err := r.as(ctx, func(by creds.Credentials) error {
			who, err := cl.CallerIdentity(ctx, by)
			r.arn = who.ARN
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	kind, name, _ := strings.Cut(r.arn[strings.LastIndexByte(r.arn, ':')+1:], "/")
	if kind != "user" || name == "" {
		return nil, &creds.Error{Code: creds.CodeUsage, Op: "the key of identity " + id.Name + " is not an IAM user's: " + r.arn}
	}
	r.user = name[strings.LastIndexByte(name, '/')+1:]
	return r, nil
}

// survey tells which keys the user has.
func (r *rotation) survey(ctx context.Context) ([]localapi.KeyInfo, error) {
	keys, err := r.list(ctx)
	if err != nil {
		return nil, err
	}
	r.learn(keys...)
	all := []localapi.KeyInfo{}
	for _, k := range keys {
		use, err := r.lastUsed(ctx, k.ID)
		if err != nil && creds.CodeOf(err) != creds.CodeAccessDenied {
			return nil, err
		}
		all = append(all, localapi.KeyInfo{ID: k.ID, InUse: k.ID == r.item.AccessKeyID, Active: k.Active, Created: moment(k.Created),
			LastUsed: moment(use.At), Service: use.Service, Region: use.Region, Elsewhere: r.elsewhere(k, use)})
	}
	return all, nil
}

// elsewhere tells by a key's last use that something other than mfad uses it, which
// calls nothing but STS with a long-term key, and IAM when one is added.
func (r *rotation) elsewhere(k awsapi.AccessKey, use awsapi.LastUse) bool {
	switch {
	case use.At.IsZero():
		return false
	case k.ID != r.item.AccessKeyID:
		return true
	}
	return use.Service != "sts" && use.Service != "iam" && use.At.After(r.item.Added)
}
