package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/mfad/mfad/pkg/awsapi"
	"github.com/mfad/mfad/pkg/awssim"
	"github.com/mfad/mfad/pkg/creds"
)

const loginRounds = 7

// calm is how long the credentials file must be left alone after a login before
// its writes are counted: the daemon sees its own write and may act on it.
const calm = 300 * time.Millisecond

// aged is how long the credentials file has been left alone when a code comes: in
// life nobody wrote it a moment before.
const aged = 3 * time.Second

// measureLogin compares the way from a code to fresh profiles with one call of
// each kind and one write. It leaves the stage logged in.
func (s *stage) measureLogin(ctx context.Context) ([]figure, error) {
	ref, err := s.newCaller()
	if err != nil {
		return nil, err
	}
	var whole pairs
	var keyring []time.Duration
	var assuming []float64
	var waves, writes []int
	for round := range loginRounds + 1 {
		l, err := s.loginAnew(ctx)
		if err != nil {
			return nil, err
		}
		c, err := ref.once(ctx, s.credentials())
		if err != nil {
			return nil, err
		}
		if round == 0 {
			continue // connections are made, as they are in a daemon that has worked before
		}
		whole.add(l.end.Sub(l.sent), c.session+c.assume+c.write)
		keyring = append(keyring, l.sent.Sub(l.begin))
		assuming = append(assuming, float64(l.end.Sub(l.assumed[0].Time)-c.write)/float64(c.assume))
		waves = append(waves, wavesOf(l.assumed, s.roundTrip))
		writes = append(writes, len(l.writes))
	}
	return []figure{
		whole.figure(fmt.Sprintf("one code, from its arrival at AWS, to %d fresh profiles, written", len(s.profiles)),
			"GetSessionToken, one AssumeRole, one plain write, one after the other"),
		{name: "— from the first AssumeRole to the end, less one plain write", measured: quantity{median(assuming), trips},
			against: "the AssumeRole", reference: quantity{1, trips}, limit: quantity{1.5, trips}},
		{name: "— waves of AssumeRole calls", measured: worst(waves), limit: count(1)},
		{name: "— writes of the credentials file", measured: worst(writes), limit: count(1)},
		{name: "— before the code is sent: the key comes out of the file keyring", measured: ms(median(keyring))},
	}, nil
}

// login is what came of one code.
type login struct {
	begin   time.Time // the daemon got the code
	sent    time.Time // AWS got it
	end     time.Time // the daemon said that all is done
	assumed []awssim.Call
	writes  []time.Time // of the credentials file
}

// loginAnew logs in after the daemon was made to forget everything.
func (s *stage) loginAnew(ctx context.Context) (login, error) {
	if err := s.forget(ctx); err != nil {
		return login{}, err
	}
	if err := pause(ctx, aged); err != nil {
		return login{}, err
	}
	before := len(s.sim.Calls())
	var l login
	var err error
	l.writes, err = writesOf(ctx, s.credentials(), func() (err error) {
		l.begin, l.end, err = s.login(ctx)
		return err
	})
	if err != nil {
		return l, err
	}
	for _, c := range s.sim.Calls()[before:] {
		switch c.Action {
		case "GetSessionToken":
			l.sent = c.Time
		case "AssumeRole":
			l.assumed = append(l.assumed, c)
		}
	}
	if l.sent.IsZero() || len(l.assumed) != len(s.profiles) {
		return l, fmt.Errorf("a login made %d AssumeRole calls, not %d", len(l.assumed), len(s.profiles))
	}
	return l, nil
}

// wavesOf counts how often calls had to wait for others: within a wave each came
// before the first could have been answered.
func wavesOf(calls []awssim.Call, roundTrip time.Duration) int {
	n := 0
	var first time.Time
	for _, c := range calls { // oldest first
		if n == 0 || c.Time.Sub(first) >= roundTrip {
			n, first = n+1, c.Time
		}
	}
	return n
}

// writesOf tells when a file changes while f runs, and in a moment after.
func writesOf(ctx context.Context, path string, f func() error) (moments []time.Time, err error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := w.Add(filepath.Dir(path)); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(f(), pause(ctx, calm)) }()
	for {
		select {
		case e := <-w.Events:
			// A file that takes another's place is a Create.
			if e.Name == path && e.Op.Has(fsnotify.Create|fsnotify.Write) {
				moments = append(moments, time.Now())
			}
		case err := <-w.Errors:
			return moments, errors.Join(err, <-ended)
		case err := <-ended:
			return moments, err
		}
	}
}

// awsCaller makes one call after the other, as a user of the simulated AWS with a
// device of its own: its codes are no concern of the daemon's.
type awsCaller struct {
	client *awsapi.Client
	key    creds.Credentials
	device *awssim.Device
	role   creds.Role
}

func (s *stage) newCaller() (*awsCaller, error) {
	client, err := awsapi.New(awsapi.Endpoint{URL: s.sim.URL})
	if err != nil {
		return nil, err
	}
	bob := s.sim.AddUser(account, "bob")
	role := s.sim.AddRole(awssim.Role{Account: account, Name: "reference", Principals: []string{account}, RequireMFA: true})
	return &awsCaller{
		client: client,
		key:    creds.Credentials{AccessKeyID: bob.AccessKeyID, SecretAccessKey: creds.NewSecret(bob.SecretAccessKey)},
		device: bob.AddMFA("bob"),
		role:   creds.Role{ARN: role.ARN, SessionName: "bob", Duration: time.Hour},
	}, nil
}

// costs are what single steps took.
type costs struct{ session, assume, write time.Duration }

// once takes each step once. What is written is as large as the file at path.
func (c *awsCaller) once(ctx context.Context, path string) (costs, error) {
	code, err := c.device.NextCode(ctx)
	if err != nil {
		return costs{}, err
	}
	t0 := time.Now()
	session, err := c.client.StartSession(ctx, c.key, c.device.Serial, creds.NewSecret(code), time.Hour)
	if err != nil {
		return costs{}, err
	}
	t1 := time.Now()
	if _, err := c.client.AssumeRole(ctx, session, c.role); err != nil {
		return costs{}, err
	}
	t2 := time.Now()
	content, err := os.ReadFile(path)
	if err != nil {
		return costs{}, err
	}
	t3 := time.Now()
	if err := replace(filepath.Join(filepath.Dir(filepath.Dir(path)), "replaced"), content); err != nil {
		return costs{}, err
	}
	return costs{t1.Sub(t0), t2.Sub(t1), time.Since(t3)}, nil
}

// replace writes a file so that neither a reader nor a crash sees half of it.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "new-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close(), os.Rename(f.Name(), path))
}
