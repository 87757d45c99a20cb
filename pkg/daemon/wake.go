package daemon

// jumped has everything looked at that waits for a moment of the wall clock: it was set,
// or the machine has slept.
func (d *Daemon) jumped() {
	d.Log.Debug("the clock has jumped")
	d.engine.Nudge()
	d.mu.Lock()
	waits := d.keyring.err != nil
	d.changedLocked()
	d.mu.Unlock()
	if waits {
		d.nudgeKeyring()
	}
}

// woke is jumped where the system says that the machine has resumed from a sleep.
func (d *Daemon) woke() {
	d.Log.Debug("the machine has woken up")
	d.engine.Woke()
	d.jumped()
}
