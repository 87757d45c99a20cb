package credfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// big gives a file of 1,000 sections of about 1.5 kB, of which mfad owns all.
func big() []byte {
	var b bytes.Buffer
	for i := range 1000 {
		c := temporary(i)
		fmt.Fprintf(&b, "[s%d]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\nmfad_profile = s%d\n\n",
			i, c.AccessKeyID, c.SecretAccessKey.Reveal(), strings.Repeat("t", 1400), i)
	}
	return b.Bytes()
}

// bigSections gives new credentials for the first n sections of big.
func bigSections(n, round int) []Section {
	var sections []Section
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		c := temporary(i)
		c.SessionToken = creds.NewSecret(fmt.Sprint(strings.Repeat("u", 1400), round))
		sections = append(sections, Section{Name: name, Profile: name, Credentials: c})
	}
	return sections
}

func benchmarkSplice(b *testing.B, n int) {
	src, put := big(), bigSections(n, 0)
	none := emptyDocument("config")
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		d := newDocument("credentials", src, readCredentials)
		if _, told, err := planCredentials(d, none, put, nil); err != nil || told.Conflicts != nil {
			b.Fatal(told.Conflicts, err)
		}
	}
}

func BenchmarkSpliceOneOfThousand(b *testing.B) { benchmarkSplice(b, 1) }
func BenchmarkSpliceThousand(b *testing.B)      { benchmarkSplice(b, 1000) }

// benchmarkApply measures a whole Apply: reading, splicing, verifying, writing and
// renaming, of a file in memory, where a sync costs nothing. The file was written
// long ago, as one of a daemon that writes twice an hour.
func benchmarkApply(b *testing.B, n int) {
	dir, err := os.MkdirTemp("/dev/shm", "credfile")
	if err != nil {
		b.Log("there is no /dev/shm here: the syncs count too")
		dir = b.TempDir()
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := &Files{Credentials: filepath.Join(dir, "credentials"), Config: filepath.Join(dir, "config")}
	src := big()
	put(b, f.Credentials, string(src))
	round := 0
	b.ResetTimer()
	for b.Loop() {
		b.StopTimer()
		round++
		sections := bigSections(n, round)
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(f.Credentials, old, old); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		r, err := f.Apply(b.Context(), sections, nil)
		b.StopTimer()
		if err != nil || !r.Written || r.Conflicts != nil {
			b.Fatal(r, err)
		}
		if err := f.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(len(src)), "bytes/file")
}

func BenchmarkApplyOneOfThousand(b *testing.B) { benchmarkApply(b, 1) }
func BenchmarkApplyThousand(b *testing.B)      { benchmarkApply(b, 1000) }
