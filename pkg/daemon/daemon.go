// Package daemon puts the parts together: config, keyring, AWS, the refresh
// engine, the files and the local API, each in its own goroutine with one owner.
// It is the only place that knows them all. What they do is theirs: the daemon
// translates between them and decides only what comes first.
package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mfad/mfad/pkg/audit"
	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/consent"
	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/mfa"
	"github.com/mfad/mfad/pkg/notify"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/refresh"
	"github.com/mfad/mfad/pkg/state"
	"github.com/mfad/mfad/pkg/wake"
	"github.com/mfad/mfad/pkg/watch"
)

// Options are what a daemon starts with.
type Options struct {
	Version string
	Paths   Paths
	Getenv  func(string) string
	// Keyring is used instead of what the config says; nil: by the config.
	Keyring keyring.Store
	// Passphrase opens the file keyring, where that is the one; zero: a person
	// will give it.
	Passphrase creds.Secret
	// Command is the absolute path of mfad for credential_process lines.
	Command string
	Log     *slog.Logger
	// Desktop shows notifications. Nil: the user's own, and none where Keyring is
	// set, since such a daemon works for no user.
	Desktop Desktop
	// Dialogs opens windows to ask for a code, and Presence tells when nobody would
	// see them. Nil: as with Desktop; with Dialogs alone somebody always would.
	Dialogs  Dialogs
	Presence Presence
	// Confirms asks on the desktop whether a program may use a profile that wants that.
	// Nil: as with Desktop.
	Confirms Confirms
	// CodeStep is how long an MFA device shows a code; zero means 30 s, as AWS's
	// devices have it. A simulated AWS may be faster.
	CodeStep time.Duration
	// Ready is called once requests are answered; it may be nil.
	Ready func()
	// Listener is the socket that a service manager opened; nil: the daemon makes
	// its own. Supervisor is told how the daemon is; nil: nobody wants to know.
	Listener   net.Listener
	Supervisor Supervisor
	// Hangups has the config read again at each signal; nil: there are none.
	Hangups <-chan os.Signal
}

// Paths are where a daemon's files lie, all absolute.
type Paths struct {
	Config, SystemConfig string // mfad's own; SystemConfig may be empty
	State, Socket        string
	// AWSCredentials and AWSConfig are used where the config names no others.
	AWSCredentials, AWSConfig string
}

// Daemon is one running daemon; see [Run].
type Daemon struct {
	Options
	started time.Time
	dir     state.Dir
	desk    *mfa.Desk
	// consents are the answers of persons to programs that want to use a profile.
	consents *consent.Desk
	engine   *refresh.Engine
	clock    awsapi.Clock
	store    *store
	sink     *sink
	audit    *audit.Log
	herald   *herald       // nil: nothing is shown
	windows  *windows      // nil: none opens
	asked    chan struct{} // gets one when a client comes; capacity 1

	glance    glance
	rotations rotations

	configuring sync.Mutex // held while the engine takes a config; taken before mu

	mu      sync.Mutex
	config  *profile.Config
	loaded  bool  // a config was in force since the start
	cfgErr  error // why the file's present text is not in force
	clients map[string]*awsapi.Client
	keyring openKeyring
	held    map[string]held // by identity: what the keyring was found to hold for it
	locked  bool
	logins  int           // under way
	relock  bool          // they suspended a lock
	changed chan struct{} // closed and replaced when what Status shows changes here
}

// Run runs a daemon until ctx ends. While another one runs for the same state
// folder it returns a [state.HeldError].
func Run(ctx context.Context, o Options) error {
	dir := state.Dir(o.Paths.State)
	if err := dir.Ensure(); err != nil {
		return err
	}
	lock, err := dir.Lock()
	if err != nil {
		return err
	}
	defer lock.Release()
	d := newDaemon(o, dir)
	l := o.Listener
	if l != nil {
		err = d.adopt(l)
	} else {
		l, err = d.listen(o.Paths.Socket)
	}
	if err != nil {
		return err
	}
	return d.run(ctx, func(ctx context.Context) error {
		if o.Ready != nil {
			o.Ready()
		}
		d.tellSupervisor("READY=1")
		return d.serve(ctx, l)
	})
}

func newDaemon(o Options, dir state.Dir) *Daemon {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Daemon{
		Options: o, dir: dir, started: time.Now().Round(0), desk: mfa.NewDesk(), consents: consent.NewDesk(),
		config:  &profile.Config{Path: o.Paths.Config},
		clients: map[string]*awsapi.Client{}, held: map[string]held{}, changed: make(chan struct{}), asked: make(chan struct{}, 1),
		keyring: openKeyring{wake: make(chan struct{}, 1)},
	}
	if o.CodeStep > 0 {
		d.desk.Step = o.CodeStep
	}
	d.store = &store{log: o.Log, dir: dir}
	d.rotations = newRotations(o.Log, dir)
	d.audit = &audit.Log{Path: dir.Path(audit.FileName)}
	d.sink = &sink{d: d, conflicts: map[string]*creds.Error{}}
	d.engine = refresh.New(refresh.Options{AWS: caller{d}, Codes: codes{d.desk}, Sink: d.sink, Log: o.Log, Now: d.clock.Now})
	if o.Desktop == nil && o.Keyring == nil {
		o.Desktop = notify.New(o.Getenv)
	}
	if o.Confirms == nil && o.Keyring == nil {
		d.Confirms = screen{getenv: o.Getenv}
	}
	if o.Dialogs == nil && o.Keyring == nil {
		here := screen{o.Getenv, d.woke}
		d.Dialogs, d.Presence = here, here
	}
	if d.Dialogs != nil {
		d.windows = d.newWindows()
	}
	if o.Desktop != nil {
		d.herald = newHerald(o.Desktop, o.Log, d.statusChanged, d.heals)
		d.herald.answer = d.answered
	}
	return d
}

// run owns every goroutine of the daemon and ends them all.
func (d *Daemon) run(ctx context.Context, serve func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if d.dir.Locked() {
		d.locked = true
		d.engine.Lock()
	}
	w := &watch.Watcher{}
	_, files := d.watched()
	w.Set(files...) // before they are read: no edit in between is missed
	d.reloadWatching(w)
	var parts sync.WaitGroup
	parts.Go(d.engine.Start(ctx))
	parts.Go(func() { d.tendKeyring(ctx) })
	parts.Go(func() { d.tendRotations(ctx) })
	parts.Go(func() { d.watch(ctx, w) })
	parts.Go(func() { d.forward(ctx) })
	parts.Go(func() { wake.Watch(ctx, d.jumped) })
	parts.Go(func() { d.giveBack(ctx) })
	if d.herald != nil {
		parts.Go(func() { d.herald.run(ctx) })
		parts.Go(func() { d.remind(ctx) })
	}
	if d.windows != nil {
		parts.Go(func() { d.windows.run(ctx) })
	}
	if d.Supervisor != nil {
		parts.Go(func() { d.supervised(ctx) })
	}
	parts.Go(func() { d.reloads(ctx) })
	err := serve(ctx)
	cancel()
	parts.Wait()
	return errors.Join(err, d.sink.close(), d.audit.Close())
}

// changedLocked tells whoever watches Status.
func (d *Daemon) changedLocked() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// forward makes the engine's changes the daemon's.
func (d *Daemon) forward(ctx context.Context) {
	for {
		changed := d.engine.Changed()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		d.mu.Lock()
		d.changedLocked()
		d.mu.Unlock()
	}
}

// conf gives the config in force.
func (d *Daemon) conf() *profile.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config
}

// files are AWS's two files, as the config and the daemon's environment say.
func (d *Daemon) files(c *profile.Config) *credfile.Files {
	return d.sink.files(first(c.Defaults.CredentialsFile, d.Paths.AWSCredentials), first(c.Defaults.ConfigFile, d.Paths.AWSConfig))
}

// first gives the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
