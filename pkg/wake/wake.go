// Package wake tells at once when the wall clock was set, which it also is when the
// machine resumes from a sleep: what is due by it is then due now, while timers, which
// stood still, know nothing of that. It costs no wake-up until then. It tells neither
// which of the two it was nor how long it took, and where the system has no such news it
// tells nothing: whoever must not miss a jump looks at the clock now and then as well.
package wake
