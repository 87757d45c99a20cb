package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// settle is how long before the end the last mishap is over.
const settle = 15 * time.Second

// mishaps happen one after another. Kills come until lastKill, so that the second
// half of a soak is one daemon's life, over which its memory can be compared.
type mishaps struct {
	stage          *stage
	random         *rand.Rand
	lastKill, last time.Time
	count          mishapFigures
}

type mishapFigures struct{ faults, kills, stops int }

// faultKinds are AWS's ways to fail.
var faultKinds = [...]awssim.Fault{
	{Kind: awssim.Throttle},
	{Kind: awssim.ServerError},
	{Kind: awssim.ServerError, Status: 503},
	{Kind: awssim.Hang},
	{Kind: awssim.Cut},
	{Kind: awssim.Garbage},
	{Kind: awssim.Garbage, Status: 403},
	{Kind: awssim.DropBefore},
	{Kind: awssim.DropAfter},
	{Kind: awssim.Delay},
}

// run lets things happen until the last moment; its error is one that ends the
// soak, such as a daemon that does not start.
func (m *mishaps) run(ctx context.Context) error {
	for pause(ctx.Done(), m.calm()) && time.Now().Before(m.last) {
		var err error
		switch n := m.random.IntN(10); {
		case (n < 4 || m.count.kills == 0) && time.Now().Before(m.lastKill):
			err = m.kill(ctx)
		case n == 4:
			err = m.stop(ctx)
		default:
			m.fail(ctx)
		}
		if err != nil {
			return err
		}
	}
	<-ctx.Done() // the rest is calm
	return nil
}

// calm is how long nothing happens: mostly less than it takes to recover, and now
// and then long enough to tell whether mfad did.
func (m *mishaps) calm() time.Duration {
	if m.random.IntN(4) == 0 {
		return m.between(grace, grace+4*time.Second)
	}
	return m.between(time.Second, 5*time.Second)
}

func (m *mishaps) between(least, most time.Duration) time.Duration {
	return least + time.Duration(m.random.Int64N(int64(most-least)))
}

// fail has AWS fail for a while. Calls that hang are cut some time later, and AWS
// counts as failing until then.
func (m *mishaps) fail(ctx context.Context) {
	f := faultKinds[m.random.IntN(len(faultKinds))]
	length := m.between(200*time.Millisecond, 6*time.Second)
	var tail time.Duration
	switch f.Kind {
	case awssim.Hang:
		f.Wait = m.between(500*time.Millisecond, 4*time.Second)
		tail = f.Wait
	case awssim.Delay:
		f.Wait = m.between(50*time.Millisecond, 1500*time.Millisecond)
		tail = f.Wait
	}
	m.count.faults++
	m.stage.aws.disturb()
	remove := m.stage.sim.Inject(f)
	pause(ctx.Done(), length)
	remove()
	pause(ctx.Done(), tail)
	m.stage.aws.clear()
}

// kill ends the daemon with SIGKILL and starts another, at once or a bit later.
func (m *mishaps) kill(ctx context.Context) error {
	m.count.kills++
	if err := m.stage.kill(); err != nil {
		return err
	}
	pause(ctx.Done(), m.between(0, time.Second))
	if err := m.stage.launch(ctx); err != nil {
		return fmt.Errorf("after kill %d: %w; it said: %s", m.count.kills, err, m.stage.said())
	}
	return nil
}

// stop has the daemon stand still for a second, as in a suspended machine.
func (m *mishaps) stop(ctx context.Context) error {
	pid, _ := m.stage.process()
	m.count.stops++
	m.stage.running.disturb()
	if err := suspend(pid); err != nil {
		return err
	}
	pause(ctx.Done(), time.Second)
	err := resume(pid)
	m.stage.running.clear()
	return err
}
