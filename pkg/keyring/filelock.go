package keyring

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/durable"
)

// lockWait is how long another process may hold the file: three uses of it, on
// a slow machine.
const lockWait = 5 * time.Second

// lockFile takes the lock at path against other processes and gives what lets
// it go. The system lets it go, too, when the process dies; the file stays.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	patience := time.NewTimer(lockWait)
	defer patience.Stop()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		taken, err := durable.TryLock(f)
		switch {
		case err != nil:
			_ = f.Close()
			return nil, err
		case taken:
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-retry.C:
		case <-patience.C:
			_ = f.Close()
			return nil, fail(creds.CodeKeyringTimeout, "end the process that holds "+path, errors.New("another process holds the keyring file"))
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		}
	}
}
