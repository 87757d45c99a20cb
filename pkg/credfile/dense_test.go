package credfile

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	denseGap    = flag.Duration("dense-gap", 9*time.Millisecond, "pause between two writes of the program that never rests")
	denseWrites = flag.Int("dense-writes", 10, "writes of mfad's against the program that never rests")
)

// relentless writes as the AWS CLI does, in place and without a lock: it reads the
// file, empties it and writes it with one more key, in two parts. It ends with ctx
// and tells how often it wrote.
func relentless(ctx context.Context, path string, gap time.Duration) (writes int, err error) {
	const header = "[dense]\n"
	for ; ctx.Err() == nil; writes++ {
		b, err := os.ReadFile(path)
		if err != nil {
			return writes, err
		}
		rest, found := bytes.CutPrefix(b, []byte(header))
		if !found {
			return writes, fmt.Errorf("read %d bytes that do not begin with %q", len(b), header)
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return writes, err
		}
		next := append(fmt.Appendf(nil, "%skey_%05d = x\n", header, writes), rest...)
		for _, part := range [][]byte{next[:len(next)/2], next[len(next)/2:]} {
			if _, err := file.Write(part); err != nil {
				return writes, err
			}
		}
		if err := file.Close(); err != nil {
			return writes, err
		}
		_ = pause(ctx, gap)
	}
	return writes, nil
}

// TestAWriterThatNeverRests: mfad writes between the writes of another program that
// hardly pauses, soon and without losing any of them.
func TestAWriterThatNeverRests(t *testing.T) {
	f := home(t, "[dense]\n"+strings.Repeat("filler = "+strings.Repeat("x", 90)+"\n", 1)+"\n[keep]\nx = 1\n", "")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writer sync.WaitGroup
	foreign := 0
	began := time.Now()
	writer.Go(func() {
		var err error
		if foreign, err = relentless(ctx, f.Credentials, *denseGap); err != nil {
			t.Errorf("the other program: %v", err)
		}
	})
	var took []time.Duration
	for i := range *denseWrites {
		start := time.Now()
		if _, err := f.Apply(t.Context(), []Section{prod(i)}, nil); err != nil {
			t.Errorf("Apply = %v after %v, want nil", err, time.Since(start).Round(time.Millisecond))
		}
		took = append(took, time.Since(start))
	}
	stop()
	writer.Wait()
	rate := float64(foreign) / time.Since(began).Seconds()
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v", err)
	}
	got := content(t, f.Credentials)
	lost := 0
	for i := range foreign {
		if !strings.Contains(got, fmt.Sprintf("key_%05d = x\n", i)) {
			lost++
		}
	}
	if lost > 0 || !strings.Contains(got, "\n[keep]\nx = 1\n") {
		t.Errorf("%d of %d foreign writes are lost", lost, foreign)
	}
	slices.Sort(took)
	t.Logf("%d foreign writes, %.0f a second, %d lost; Apply took %v to %v, median %v",
		foreign, rate, lost, took[0].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), took[len(took)/2].Round(time.Millisecond))
}
