package cli

import (
	"context"
	"fmt"
	"time"
)

// shortPatience is how long a prompt waits for a daemon, as in pkg/fastpath, which
// answers before this is reached wherever it can.
const shortPatience = 50 * time.Millisecond

// statusShort prints one word, or nothing: also where there is no daemon, or none
// that answers in time, or no such name. A prompt is no place to explain.
func (a *app) statusShort(ctx context.Context, watch bool, names []string) error {
	switch {
	case watch || a.json:
		return usage("leave out --watch and --json", "--short is one word, once")
	case len(names) > 1:
		return usage("give one name, or none", "--short takes one name")
	}
	name := ""
	if len(names) == 1 {
		name = names[0]
	}
	ctx, cancel := context.WithTimeout(ctx, shortPatience)
	defer cancel()
	c := a.client()
	c.Mismatch = nil
	word, err := c.Short(ctx, name)
	if err != nil {
		a.verbosef("%v", err)
		return nil
	}
	if word == "" {
		return nil
	}
	_, err = fmt.Fprintln(a.out, word)
	return err
}
