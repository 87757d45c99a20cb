package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestVersionOf what git describe tells, in the order in which they come to be.
func TestVersionOf(t *testing.T) {
	var before string
	for _, tt := range []struct{ name, told, want, inPackages string }{
		{"no tag yet", "v0.0.0-84-g20936f3", "0.0.0+84.g20936f3", "0.0.0+84.g20936f3"},
		{"a candidate", "v1.2.3-rc.1-0-gabc1234", "1.2.3-rc.1", "1.2.3~rc.1"},
		{"after a candidate", "v1.2.3-rc.1-2-gabc1234", "1.2.3-rc.1+2.gabc1234", "1.2.3~rc.1+2.gabc1234"},
		{"a tag", "v1.2.3-0-gabc1234", "1.2.3", "1.2.3"},
		{"after a tag", "v1.2.3-7-gabc1234", "1.2.3+7.gabc1234", "1.2.3+7.gabc1234"},
		{"changed after a tag", "v1.2.4-0-gabc1234-dirty", "1.2.4+dirty", "1.2.4+dirty"},
		{"changed after another commit", "v1.2.10-7-gabc1234-dirty", "1.2.10+7.gabc1234.dirty", "1.2.10+7.gabc1234.dirty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := versionOf(tt.told)
			if err != nil || got != tt.want {
				t.Fatalf("got %q, %v; want %q", got, err, tt.want)
			}
			r, err := newRelease(t.Context(), got, "", func(string) string { return "1" })
			if err != nil {
				t.Fatal(err)
			}
			if got := r.packageVersion(); got != tt.inPackages {
				t.Errorf("in packages %q, want %q", got, tt.inPackages)
			}
			if _, err := exec.LookPath("dpkg"); err == nil && before != "" &&
				exec.Command("dpkg", "--compare-versions", before, "lt", tt.inPackages).Run() != nil {
				t.Errorf("to dpkg, %s is not older than %s", before, tt.inPackages)
			}
			before = tt.inPackages
		})
	}
	if got, err := versionOf("nothing"); err == nil {
		t.Errorf("of nothing: %q", got)
	}
}

func TestNewRelease(t *testing.T) {
	epoch := func(v string) func(string) string { return func(string) string { return v } }
	r, err := newRelease(t.Context(), "v1.2.3", "https://example.com/mfad/", epoch("1795284729"))
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 11, 21, 18, 12, 9, 0, time.UTC); !r.date.Equal(want) || r.date.Location() != time.UTC || r.version != "1.2.3" || r.url != "https://example.com/mfad" {
		t.Errorf("got %s of %v at %s", r.version, r.date, r.url)
	}
	for _, version := range []string{"1.2", "one", "1.2.3-rc-1", "1.2.3 ", "../1.2.3"} {
		if r, err := newRelease(t.Context(), version, "", epoch("1")); err == nil {
			t.Errorf("%q is taken for version %s", version, r.version)
		}
	}
	if _, err := newRelease(t.Context(), "1.2.3", "", epoch("yesterday")); err == nil {
		t.Error("yesterday is taken for a date")
	}
}

func TestParseTargets(t *testing.T) {
	got, err := parseTargets("linux/amd64, windows/arm64")
	if err != nil || len(got) != 2 || got[1] != (target{"windows", "arm64"}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, list := range []string{"", "linux", "linux/", "linux/amd64,"} {
		if got, err := parseTargets(list); err == nil {
			t.Errorf("%q is taken for %v", list, got)
		}
	}
	if all, err := parseTargets(strings.Join(allTargets(), ",")); err != nil || len(all) != 6 {
		t.Errorf("all: %v, %v", all, err)
	}
}

// TestFolder that somebody named is used when there is nothing in it.
func TestFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for range 2 { // anew
		out, err := folder("", "1.2.3")
		if err != nil || out != "dist/1.2.3" {
			t.Fatalf("got %q, %v", out, err)
		}
		if err := (&release{out: out}).write("one", nil); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := folder("dist/1.2.3", "1.2.3"); err == nil {
		t.Errorf("a folder with something in it is used: %s", out)
	}
}
