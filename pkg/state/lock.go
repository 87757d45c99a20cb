package state

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mfad/mfad/pkg/durable"
)

// Lock is the right to be the one daemon of a state folder. The system takes it
// back when the process ends, however it ends.
type Lock struct{ file *os.File }

// HeldError says that another process is the daemon.
type HeldError struct {
	PID int // 0 where the other has only just started
}

// Error names the process.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return "another mfad daemon is starting"
	}
	return fmt.Sprintf("another mfad daemon is running (pid %d)", e.PID)
}

// Lock takes the daemon's lock, or gives a *[HeldError] at once where another
// process has it. Another failure is [creds.CodeInternal].
func (d Dir) Lock() (*Lock, error) {
	f, err := os.OpenFile(d.Path(lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, broken("take the daemon's lock", err)
	}
	taken, err := durable.TryLock(f)
	if err == nil && !taken {
		held := &HeldError{PID: readPID(f)}
		_ = f.Close()
		return nil, held
	}
	if err == nil {
		err = writePID(f, strconv.Itoa(os.Getpid())+"\n")
	}
	if err != nil {
		_ = f.Close()
		return nil, broken("take the daemon's lock", err)
	}
	return &Lock{f}, nil
}

// Holder is the process that last took the daemon's lock and did not give it
// back, without touching the lock; 0 for none. It may have died since.
func (d Dir) Holder() int {
	f, err := os.Open(d.Path(lockName))
	if err != nil {
		return 0
	}
	defer f.Close()
	return readPID(f)
}

// Release gives the lock back. A nil or released Lock is fine. The file stays:
// deleting it could let two daemons hold two files of one name.
func (l *Lock) Release() error {
	if l == nil || l.file == nil {
		return nil
	}
	err := l.file.Truncate(0)
	if e := l.file.Close(); err == nil {
		err = e
	}
	l.file = nil
	if err != nil {
		return broken("release the daemon's lock", err)
	}
	return nil
}

func writePID(f *os.File, text string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func readPID(f *os.File) int {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
