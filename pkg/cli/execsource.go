package cli

import (
	"context"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/endpoint"
	"github.com/mfad/mfad/pkg/localapi"
)

// sourceWait is how long the daemon may look for credentials: so much less than
// the endpoint's limit that its reason arrives in time.
const sourceWait = endpoint.Limit - 100*time.Millisecond

// execSource asks the daemon what a profile has now; nobody is asked for a code. A
// daemon that is gone is started again, which the answer does not wait for. The grant
// says that a person allowed the run; empty: nobody had to.
func (a *app) execSource(name, grant string) endpoint.Source {
	var starting sync.Mutex // held while a daemon is being started
	return func(ctx context.Context) (creds.Credentials, error) {
		client := a.client() // anew: the next daemon may listen elsewhere
		client.Mismatch = nil
		var out localapi.Process
		err := client.Do(ctx, "/v1/credentials", localapi.CredentialsRequest{
			Profile: name, For: localapi.ForExport, NoPrompt: true, TimeoutSeconds: sourceWait.Seconds(), Grant: grant,
		}, &out)
		if creds.CodeOf(err) == creds.CodeDaemonDown && starting.TryLock() {
			go func() {
				defer starting.Unlock()
				ctx, cancel := context.WithTimeout(context.Background(), startLimit)
				defer cancel()
				_, _ = a.daemonApart(ctx) // the next request sees what came of it
			}()
		}
		if err != nil {
			return creds.Credentials{}, err
		}
		return fromProcess(out)
	}
}

// fromProcess is what the daemon gave.
func fromProcess(p localapi.Process) (creds.Credentials, error) {
	expires, err := time.Parse(time.RFC3339, p.Expiration)
	if err != nil {
		return creds.Credentials{}, &creds.Error{Code: creds.CodeInternal, Op: "read the daemon's answer",
			Hint: "the daemon may be another version: stop it, then try again", Err: err}
	}
	return creds.Credentials{
		AccessKeyID: p.AccessKeyID, SecretAccessKey: creds.NewSecret(p.SecretAccessKey), SessionToken: creds.NewSecret(p.SessionToken),
		Expires: expires,
	}, nil
}
