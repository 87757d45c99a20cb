package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

// TestArchives are the same bytes whatever the order, and everything in them is of
// one date and owner.
func TestArchives(t *testing.T) {
	date := time.Date(2026, 11, 21, 18, 12, 8, 0, time.UTC)
	files := []file{{"mfad", 0o755, []byte("program")}, {"LICENSE", 0o644, []byte("text")}, {"man/mfad.1", 0o644, nil}}
	turned := slices.Clone(files)
	slices.Reverse(turned)
	want := []string{"a/LICENSE 644 2026-11-21T18:12:08Z text", "a/man/mfad.1 644 2026-11-21T18:12:08Z ", "a/mfad 755 2026-11-21T18:12:08Z program"}
	for name, tt := range map[string]struct {
		pack func(string, []file, time.Time) ([]byte, error)
		read func(*testing.T, []byte) []string
	}{"tar": {tarGz, readTar}, "zip": {zipped, readZip}} {
		t.Run(name, func(t *testing.T) {
			one, err := tt.pack("a", files, date)
			if err != nil {
				t.Fatal(err)
			}
			other, err := tt.pack("a", turned, date.In(time.FixedZone("", 3600)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(one, other) {
				t.Error("the order or the time zone makes other bytes")
			}
			if got := tt.read(t, one); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func readTar(t *testing.T, data []byte) []string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("the archive is of %v, and was called %q", z.ModTime, z.Name)
	}
	var all []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "root" || h.Gname != "root" {
			t.Errorf("%s belongs to %d %s, %d %s", h.Name, h.Uid, h.Uname, h.Gid, h.Gname)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %o %s %s", h.Name, h.Mode, h.ModTime.UTC().Format(time.RFC3339), text))
	}
}

func readZip(t *testing.T, data []byte) []string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %o %s %s", f.Name, f.Mode().Perm(), f.Modified.UTC().Format(time.RFC3339), text))
	}
	return all
}
