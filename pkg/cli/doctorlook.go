package cli

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/daemon"
	"github.com/mfad/mfad/pkg/doctor"
	"github.com/mfad/mfad/pkg/keyring"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
	"github.com/mfad/mfad/pkg/state"
)

// How long each look may take. Those that do not need one another go on together;
// the longest row, config, daemon and files, is through within 10 s.
const (
	lookConfig  = 2 * time.Second
	lookDaemon  = 4 * time.Second // right after its start it waits 3 s for the keyring
	lookFiles   = 2 * time.Second
	lookKeyring = 2500 * time.Millisecond
	lookAWS     = 5 * time.Second

	// mostRegions is in how many regions AWS is asked.
	mostRegions = 6
)

// bounded runs f for so long at most; late is what is known if it takes longer. A
// file system that hangs takes no notice of a context: f is left behind then.
func bounded[T any](ctx context.Context, limit time.Duration, late T, f func(context.Context) T) T {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan T, 1)
	go func() { done <- f(ctx) }()
	select {
	case got := <-done:
		return got
	case <-ctx.Done():
	}
	select {
	case got := <-done: // it noticed the end, and says more about it
		return got
	case <-time.After(100 * time.Millisecond):
		return late
	}
}

func slow(what string) error {
	return &creds.Error{Code: creds.CodeTimeout, Op: what + " takes too long", Hint: "look whether the file system hangs: df ."}
}

// lookAround gathers all that the checks look at. The error is that of an unknown
// profile, or of paths that cannot be told.
func (a *app) lookAround(ctx context.Context, name string) (doctor.Picture, error) {
	paths, err := a.paths()
	if err != nil {
		return doctor.Picture{}, err
	}
	p := doctor.Picture{
		Now: time.Now(), Version: version(), System: runtime.GOOS, Profile: name, ConfigPath: paths.Config,
		ShellCredentials: paths.AWSCredentials, ShellConfig: paths.AWSConfig, Getenv: a.getenv, Inside: a.inside,
	}
	p.Program, _ = os.Executable() // only told
	type loaded struct {
		c   *profile.Config
		err error
	}
	l := bounded(ctx, lookConfig, loaded{err: slow("reading the config")}, func(context.Context) loaded {
		c, err := profile.Load(paths.Config, profile.Options{System: paths.SystemConfig})
		return loaded{c, err}
	})
	p.Config, p.ConfigErr = l.c, l.err
	if name != "" && p.Config != nil {
		if _, err := p.Config.Profile(name); err != nil {
			return p, err
		}
	}
	var looks sync.WaitGroup
	looks.Go(func() { p.Reaches = a.lookAWS(ctx, p.Config, name) })
	looks.Go(func() {
		p.Units = bounded(ctx, lookFiles, nil, func(context.Context) []doctor.Unit { return a.lookUnits() })
	})
	looks.Go(func() {
		p.Terraform = bounded(ctx, lookFiles, false, func(context.Context) bool { return usesTerraform() })
	})
	p.Daemon = a.lookDaemon(ctx, paths)
	looks.Go(func() { p.Keyring = a.lookKeyring(ctx, p.Config, p.Daemon, paths) })
	files := a.filesOf(p.Config, p.Daemon.Status, paths)
	looks.Go(func() { p.Credentials, p.AWSConfig, p.Conflicts = lookAtFiles(ctx, files, p.Config) })
	p.Modes = bounded(ctx, lookFiles, nil, func(context.Context) []doctor.Mode { return a.lookModes(paths, files) })
	looks.Wait()
	return p, nil
}

// lookDaemon asks the daemon, if there is one, and starts none.
func (a *app) lookDaemon(ctx context.Context, paths daemon.Paths) doctor.Daemon {
	d := doctor.Daemon{Autostart: a.getenv("MFAD_AUTOSTART") != "0"}
	hung := &creds.Error{Code: creds.CodeTimeout, Op: "it runs but does not answer", Hint: "mfad daemon names its process: end that, and try again"}
	asking, cancel := context.WithTimeoutCause(ctx, lookDaemon, hung)
	defer cancel()
	c := bounded(asking, lookFiles, nil, func(context.Context) *localapi.Client { return a.client() })
	if c == nil {
		d.Err = slow("looking for the daemon's socket")
		return d
	}
	c.Mismatch = nil // told by a check
	var st localapi.Status
	if d.Err = c.Do(asking, "/v1/status", nil, &st); d.Err == nil {
		d.Status = &st
		return d
	}
	if creds.CodeOf(d.Err) != creds.CodeDaemonDown {
		return d // one is there, and what was left behind tells nothing of it
	}
	late := d
	late.Err = slow("looking at " + paths.State)
	return bounded(asking, lookFiles, late, func(context.Context) doctor.Daemon { return leftBehind(d, state.Dir(paths.State)) })
}

// leftBehind adds what the state folder tells of a daemon that is not reached.
func leftBehind(d doctor.Daemon, dir state.Dir) doctor.Daemon {
	if pid := dir.Holder(); pid > 0 && alive(pid) {
		d.Holder = pid
	}
	d.LastWords, d.LastHint = lastWords(dir.Path(logName))
	return d
}

// lastWords gives the error with which the log of a daemon ends, if it does. What is
// no regular file is no log, and is not waited for.
func lastWords(path string) (words, hint string) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", ""
	}
	const tail = 4096
	if info.Size() > tail {
		_, _ = f.Seek(-tail, 2) // else the whole of it is read, and bounded
	}
	b := make([]byte, tail)
	n, _ := f.Read(b)
	lines := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(b[:n], nil))), "\n")
	last := lines[len(lines)-1]
	if rest, ok := strings.CutPrefix(last, "hint: "); ok && len(lines) > 1 {
		hint, last = rest, lines[len(lines)-2]
	}
	words, ok := strings.CutPrefix(last, "mfad: ")
	if !ok || strings.HasPrefix(words, "a daemon is running already") {
		return "", ""
	}
	return words, hint
}

// lookKeyring looks at the keyring that a daemon would use; where one answers, at
// the system's if it uses that, since it may not have needed it for long.
func (a *app) lookKeyring(ctx context.Context, c *profile.Config, d doctor.Daemon, paths daemon.Paths) doctor.Keyring {
	kind := a.getenv("MFAD_KEYRING")
	if c != nil && c.Defaults.Keyring != "" {
		kind = c.Defaults.Keyring
	}
	switch {
	case d.Status != nil && d.Status.Daemon.Keyring.Kind != string(keyring.KindOS):
		return doctor.Keyring{}
	case d.Status != nil:
		kind = string(keyring.KindOS)
	case creds.CodeOf(d.Err) != creds.CodeDaemonDown:
		return doctor.Keyring{} // one is there, and has it
	case a.keyring != nil:
		return doctor.Keyring{Looked: true, Kind: "memory"}
	}
	late := doctor.Keyring{Looked: true, Kind: kind, Err: &creds.Error{Code: creds.CodeKeyringTimeout, Op: "it does not answer",
		Hint: "answer or close the keyring's window, or set MFAD_KEYRING=file"}}
	return bounded(ctx, lookKeyring, late, func(ctx context.Context) doctor.Keyring {
		_, unused := os.Stat(state.Dir(paths.State).Path("sessions"))
		k, err := keyring.Open(ctx, keyring.Options{Kind: keyring.Kind(kind), StateDir: paths.State, Used: unused == nil})
		if err != nil {
			return doctor.Keyring{Looked: true, Kind: kind, Err: err}
		}
		found := doctor.Keyring{Looked: true, Kind: string(k.Kind()), Reason: k.Reason}
		if k.OS != nil {
			found.Err = k.OS.Check(ctx)
		}
		return found
	})
}

// lookAWS asks STS for nothing in each region that is used.
func (a *app) lookAWS(ctx context.Context, c *profile.Config, name string) []doctor.Reach {
	if c == nil {
		c = &profile.Config{}
	}
	e, err := daemon.Endpoint(c.Defaults, a.getenv)
	regions := regionsOf(c, name)
	if err != nil {
		return []doctor.Reach{{Region: regions[0], Err: err}}
	}
	if e.STS != "" || e.URL != "" {
		regions = regions[:1] // they share that endpoint
	}
	found := make([]doctor.Reach, len(regions))
	var looks sync.WaitGroup
	for i, region := range regions {
		looks.Go(func() {
			there := e
			there.Region = region
			late := awsapi.Reach{Err: &creds.Error{Code: creds.CodeNetwork, Op: "it does not answer", Hint: "check the network"}}
			r := bounded(ctx, lookAWS, late, func(ctx context.Context) awsapi.Reach { return awsapi.Probe(ctx, there) })
			found[i] = doctor.Reach{Region: region, Host: r.Host, Proxy: r.Proxy, Ahead: r.Ahead, Dated: r.Dated, Err: r.Err}
		})
	}
	looks.Wait()
	return found
}

// regionsOf gives the regions in which calls are made, the first few; never none. Of
// one profile, calls are made for those that it is assumed from too, and for the
// session of its identity.
func regionsOf(c *profile.Config, name string) []string {
	var regions []string
	add := func(region string) {
		if !slices.Contains(regions, region) {
			regions = append(regions, region)
		}
	}
	var identities []string
	if name == "" {
		identities = c.IdentityNames()
		for _, p := range c.ProfileNames() {
			add(c.Region(c.Profiles[p]))
		}
	} else if p := c.Profiles[name]; p != nil {
		identities = []string{p.Identity}
		for ; p != nil; p = p.Source {
			add(c.Region(p))
		}
	}
	for _, id := range identities {
		if i := c.Identities[id]; i != nil && i.Type == profile.TypeKey { // others have no session
			add(c.Region(&profile.Profile{Identity: id}))
		}
	}
	if len(regions) == 0 {
		add(orElse(c.Defaults.Region, profile.DefaultRegion("")))
	}
	return regions[:min(len(regions), mostRegions)]
}
