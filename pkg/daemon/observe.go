package daemon

import (
	"context"
	"time"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
)

// subject is what a call to AWS is made for. It travels in the call's context, so
// that no call can be made without being recorded.
type subject struct {
	identity, profile, way, why string
}

type subjectKey struct{}

// about says what the calls made with a context are for.
func about(ctx context.Context, s subject) context.Context {
	return context.WithValue(ctx, subjectKey{}, s)
}

// observe records a call to AWS.
func (d *Daemon) observe(ctx context.Context, c awsapi.Call) {
	s, _ := ctx.Value(subjectKey{}).(subject)
	r := audit.Record{
		Action: c.Action, Identity: s.identity, Profile: s.profile, RoleARN: c.RoleARN, KeyID: c.AccessKeyID, Way: s.way, Why: s.why,
		Asked: int(c.Asked / time.Second), Given: int(c.Given / time.Second),
	}
	if !c.Expires.IsZero() {
		r.Expires = &c.Expires
	}
	d.record(r.Ended(c.Err))
}

// record writes a line of the audit log. That it cannot be written stops nothing.
func (d *Daemon) record(r audit.Record) {
	if err := d.audit.Append(r); err != nil {
		d.Log.Error("the audit log cannot be written", "error", err)
	}
}

// handedOut records who got a profile's credentials, and why that was allowed where a
// person had to.
func (d *Daemon) handedOut(ctx context.Context, p *profile.Profile, expires time.Time, why string) {
	who := localapi.CallerOf(ctx)
	d.record(audit.Record{
		Action: audit.HandOut, Identity: p.Identity, Profile: p.Name, Expires: &expires, Why: why,
		PID: who.PID, Program: who.Program,
	}.Ended(nil))
}
