package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
)

// patience is how long AWS is given to know a new key, and to come back from what
// passes. IAM and STS are eventually consistent
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency):
// a new key is mostly known after about ten seconds.
const patience = time.Minute

// longestPause bounds the growing pauses between two tries.
const longestPause = 10 * time.Second

// patiently makes a call until its error is none that again takes for passing.
func patiently(ctx context.Context, again func(error) bool, call func() error) error {
	begun := time.Now()
	for wait := time.Second; ; wait = min(wait*3/2, longestPause) {
		err := call()
		if err == nil || !again(err) || time.Since(begun) >= patience {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// pause waits, and tells if ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return &creds.Error{Code: creds.CodeInterrupted, Op: "interrupted; mfad finishes the rotation by itself", Hint: "run: mfad status", Err: context.Cause(ctx)}
	}
}

// sessionOver tells by AWS's answer that the credentials that signed are of no more
// use.
func sessionOver(err error) bool {
	code := creds.CodeOf(err)
	return code == creds.CodeInvalidKey || code == creds.CodeExpired
}

// hopeless tells that AWS refused for good: waiting and asking again does not help.
func hopeless(err error) bool {
	switch creds.CodeOf(err) {
	case creds.CodeAccessDenied, creds.CodeInvalidKey, creds.CodeRefused:
		return true
	}
	return false
}

// as makes a call as the MFA session, again while what fails it passes. A session
// that AWS does not know any more is replaced once.
func (r *rotation) as(ctx context.Context, call func(by creds.Credentials) error) error {
	for again := false; ; again = true {
		by, err := r.holder.signer(ctx)
		if err != nil {
			return err
		}
		err = patiently(ctx, creds.IsTransient, func() error { return call(by) })
		if !sessionOver(err) || again {
			return err
		}
		r.holder.ended(by)
	}
}

// checkSession sees that the MFA session still works, or gets another: AWS does
// not say that one outlives the key that started it.
func (r *rotation) checkSession(ctx context.Context) error {
	return r.as(ctx, func(by creds.Credentials) error {
		_, err := r.aws.CallerIdentity(ctx, by)
		return err
	})
}

// works waits until AWS knows a key of the user's. The error is AWS's last.
func (r *rotation) works(ctx context.Context, key creds.Credentials) error {
	again := func(err error) bool { return creds.IsTransient(err) || creds.CodeOf(err) == creds.CodeInvalidKey }
	return patiently(ctx, again, func() error {
		who, err := r.aws.CallerIdentity(ctx, key)
		if err == nil && who.ARN != r.arn {
			err = &creds.Error{Code: creds.CodeRefused, Op: "AWS says that the key " + key.AccessKeyID + " belongs to " + who.ARN + ", not to " + r.arn}
		}
		return err
	})
}

func (r *rotation) list(ctx context.Context) (keys []awsapi.AccessKey, err error) {
	err = r.as(ctx, func(by creds.Credentials) error {
		keys, err = r.aws.AccessKeys(ctx, by, r.user)
		return err
	})
	return keys, r.permission(err)
}

func (r *rotation) lastUsed(ctx context.Context, id string) (use awsapi.LastUse, err error) {
	err = r.as(ctx, func(by creds.Credentials) error {
		use, err = r.aws.AccessKeyLastUsed(ctx, by, id)
		return err
	})
	return use, err
}

func (r *rotation) setActive(ctx context.Context, id string, active bool) error {
	return r.permission(r.as(ctx, func(by creds.Credentials) error { return r.aws.SetAccessKeyActive(ctx, by, r.user, id, active) }))
}

// delete deletes a key; one that is gone already is fine.
func (r *rotation) delete(ctx context.Context, id string) error {
	err := r.permission(r.as(ctx, func(by creds.Credentials) error { return r.aws.DeleteAccessKey(ctx, by, r.user, id) }))
	if errors.Is(err, awsapi.ErrNoSuchEntity) {
		return nil
	}
	return err
}

// change stores an edit of the item. It is not left in the middle.
func (r *rotation) change(ctx context.Context, edit func(*keyItem)) error {
	item, err := r.holder.change(context.WithoutCancel(ctx), edit)
	if err == nil {
		r.item = item
	}
	return err
}

// clear ends the rotation.
func (r *rotation) clear(ctx context.Context) error {
	return r.change(ctx, func(i *keyItem) { i.Rotation = nil })
}

// permission says how the user comes to be allowed what AWS denied. The statement
// is that of "IAM User Guide, AWS: Allows MFA-authenticated IAM users to manage
// their own credentials on the Security credentials page"
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_examples_aws_my-sec-creds-self-manage.html).
func (r *rotation) permission(err error) error {
	if creds.CodeOf(err) != creds.CodeAccessDenied {
		return err
	}
	return &creds.Error{Code: creds.CodeAccessDenied, Op: err.Error(), Hint: `have this allowed: {"Effect":"Allow","Action":["iam:ListAccessKeys",` +
		`"iam:GetAccessKeyLastUsed","iam:CreateAccessKey","iam:UpdateAccessKey","iam:DeleteAccessKey"],"Resource":"` + r.arn + `"}`}
}

// also tells what failed besides, in one line.
func also(err, then error) error {
	if then == nil {
		return err
	}
	return &creds.Error{Code: creds.CodeOf(err), Op: err.Error() + "; and " + then.Error(), Hint: first(creds.HintOf(err), creds.HintOf(then))}
}

// byHand is the command that deletes a key, for whoever may.
func (r *rotation) byHand(id string) string {
	return "if nobody uses it: aws iam delete-access-key --user-name " + r.user + " --access-key-id " + id
}
