package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestRelease makes a release for Linux twice, from two copies of the tree that have
// nothing in common but what they hold: the same bytes. Then it looks at them.
func TestRelease(t *testing.T) {
	arch := runtime.GOARCH
	if arch != "amd64" && arch != "arm64" {
		t.Skipf("mfad is not packaged for %s", arch)
	}
	one := releaseFrom(t, filepath.Join(t.TempDir(), "one"), "umask 022; TZ=UTC LC_ALL=C")
	other := releaseFrom(t, filepath.Join(t.TempDir(), "another", "and longer"), "umask 027; TZ=Asia/Tokyo LC_ALL=C.UTF-8 TMPDIR="+t.TempDir())
	want := []string{"SHA256SUMS", "mfad-1.2.3~rc.1-1." + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch] + ".rpm",
		"mfad_1.2.3-rc.1_linux_" + arch + ".cdx.json", "mfad_1.2.3-rc.1_linux_" + arch + ".tar.gz", "mfad_1.2.3~rc.1-1_" + arch + ".deb"}
	if got := names(t, one); !slices.Equal(got, want) {
		t.Fatalf("it has %q, want %q", got, want)
	}
	for _, name := range want {
		if !bytes.Equal(read(t, filepath.Join(one, name)), read(t, filepath.Join(other, name))) {
			t.Errorf("%s is not the same twice", name)
		}
	}
	t.Run("checksums", func(t *testing.T) {
		var sums []string
		for _, name := range want[1:] {
			sums = append(sums, digest(read(t, filepath.Join(one, name)))+"  "+name+"\n")
		}
		if got := string(read(t, filepath.Join(one, want[0]))); got != strings.Join(sums, "") {
			t.Errorf("got\n%swant\n%s", got, strings.Join(sums, ""))
		}
	})
	files := unpack(t, filepath.Join(one, want[3]))
	t.Run("archive", func(t *testing.T) { checkArchive(t, files, "mfad_1.2.3-rc.1_linux_"+arch) })
	t.Run("bill", func(t *testing.T) {
		checkBill(t, read(t, filepath.Join(one, want[2])), files["mfad_1.2.3-rc.1_linux_"+arch+"/mfad"])
	})
	t.Run("deb", func(t *testing.T) { checkDeb(t, filepath.Join(one, want[4])) })
	t.Run("rpm", func(t *testing.T) { checkRPM(t, filepath.Join(one, want[1])) })
}

// releaseFrom copies the tree into a folder and makes a release there, in a shell
// with these settings.
func releaseFrom(t *testing.T, tree, settings string) string {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = "../.."
	files, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", said(err))
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		from, to := filepath.Join("../..", name), filepath.Join(tree, name)
		info, err := os.Stat(from)
		if err != nil {
			continue // removed, and not committed yet
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, read(t, from), info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	cmd := exec.Command("sh", "-c", settings+" exec scripts/package -version 1.2.3-rc.1 -targets linux/"+runtime.GOARCH+` -out "$0"`, out)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1795284729")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scripts/package: %v\n%s", err, text)
	}
	return out
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// unpack gives an archive's files by their names.
func unpack(t *testing.T, path string) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if all[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// checkArchive wants what a user without a package manager needs, and a program that
// needs nothing.
func checkArchive(t *testing.T, files map[string][]byte, inside string) {
	for _, name := range []string{"mfad", "LICENSE", "README.md", "CHANGES.md", "third-party-licenses.txt", "mfad.example.ini",
		"man/mfad.1", "man/mfad-service-install.1", "completions/mfad.bash", "completions/_mfad", "completions/mfad.fish"} {
		if len(files[inside+"/"+name]) == 0 {
			t.Errorf("no %s, or an empty one", name)
		}
	}
	if page := string(files[inside+"/man/mfad.1"]); !strings.Contains(page, "2026-11-21") {
		t.Error("the manual is of another date than the release")
	}
	binary := files[inside+"/mfad"]
	program, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := program.ImportedLibraries()
	if err != nil || len(libraries) > 0 || slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Errorf("the program is not static: %q, %v", libraries, err)
	}
	folders, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		t.Fatalf("go env: %v", said(err))
	}
	for _, trace := range append(strings.Fields(string(folders)), os.TempDir()+"/Test") {
		if bytes.Contains(binary, []byte(trace)) {
			t.Errorf("the program tells where it was built: %s", trace)
		}
	}
	path := filepath.Join(t.TempDir(), "mfad")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "version").Output(); err != nil || string(out) != "mfad v1.2.3-rc.1\n" {
		t.Errorf("the version is %q, %v", out, err)
	}
}

// checkBill wants each module, with what is known of it, and the program's checksum.
func checkBill(t *testing.T, text, program []byte) {
	var b bill
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	self := b.Metadata.Component
	if len(self.Hashes) != 1 || self.Hashes[0] != (hash{"SHA-256", digest(program)}) || self.Version != "1.2.3-rc.1" ||
		self.PURL != "pkg:golang/github.com/mfad/mfad@v1.2.3-rc.1?goarch="+runtime.GOARCH+"&goos=linux" {
		t.Errorf("it is of %+v", self)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(b.SerialNumber) {
		t.Errorf("its number is %s", b.SerialNumber)
	}
	there := map[string]bool{}
	for _, c := range b.Components {
		there[c.Name] = true
		if len(c.Licenses) == 0 || c.Version == "" || (len(c.Hashes) == 0 && c.Name != "std") || !slices.Contains(b.Dependencies[0].DependsOn, c.Ref) {
			t.Errorf("of %s too little is told: %+v", c.Name, c)
		}
	}
	required, err := exec.Command("go", "list", "-tags=nethttpomithttp2", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "../../cmd/mfad").Output()
	if err != nil {
		t.Fatalf("go list: %v", said(err))
	}
	for _, m := range append(strings.Fields(string(required)), "std") {
		if m != "github.com/mfad/mfad" && !there[m] {
			t.Errorf("%s is missing", m)
		}
	}
}
