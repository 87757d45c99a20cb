package setup

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	const old = "[a]\naws_access_key_id = AKIAEXAMPLE000001234\naws_secret_access_key = not-a-secret\n# aws_session_token: neither\nregion = x\n"
	for _, tt := range []struct{ name, old, next, want string }{
		{"nothing", old, old, ""},
		{"masked, above and below", old, strings.Replace(old, "region = x", "region = y", 1),
			"--- f\n+++ f\n@@ -2,4 +2,4 @@\n aws_access_key_id = AKIA****1234\n aws_secret_access_key = ****\n # aws_session_token: ****\n-region = x\n+region = y\n"},
		{"masked where it goes", old, "[a]\n", "--- f\n+++ f\n@@ -1,5 +1,1 @@\n [a]\n-aws_access_key_id = AKIA****1234\n-aws_secret_access_key = ****\n-# aws_session_token: ****\n-region = x\n"},
		{"wrapped secrets", "secret = a\n  b\nx = c\n", "secret = a\n  b\n", "--- f\n+++ f\n@@ -1,3 +1,2 @@\n secret = ****\n     ****\n-x = c\n"},
		{"programs and proxies", "mfa_process = oathtool -b SEED\nhttps_proxy = http://me:pass@host\ncredential_process = /mfad credential-process --profile a\ncredential_process = other -p pass\n", "",
			"--- f\n+++ f\n@@ -1,4 +0,0 @@\n-mfa_process = ****\n-https_proxy = http://****@host\n-credential_process = /mfad credential-process --profile a\n-credential_process = ****\n"},
		{"a secret in a comment", "# old: AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCd\n# ----------------------------------------------------\n", "",
			"--- f\n+++ f\n@@ -1,2 +0,0 @@\n-# old: ****\n-# ----------------------------------------------------\n"},
		{"a terminal is not steered", "a = \x1b[2J\n", "", "--- f\n+++ f\n@@ -1,1 +0,0 @@\n-a = ?[2J\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Diff("f", []byte(tt.old), []byte(tt.next)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	if got := Diff("f", nil, []byte("a\n")); !strings.HasPrefix(got, "--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n") {
		t.Errorf("a new file: %q", got)
	}
}

// TestDiffApplies: patch(1) makes of the old file the new one.
func TestDiffApplies(t *testing.T) {
	t.Parallel()
	patch, err := exec.LookPath("patch")
	if err != nil {
		t.Skipf("SKIP-REAL patch: %v", err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	for round := range 110 {
		var old, next strings.Builder
		lines, words := random.IntN(40), 5
		if round >= 100 { // enough of them to be cut at lines that are there once
			lines, words = 2*large, 3*large
		}
		for range lines {
			line := strconv.Itoa(random.IntN(words)) + "\n"
			if random.IntN(4) > 0 {
				old.WriteString(line)
			}
			if random.IntN(4) > 0 {
				next.WriteString(line)
			}
		}
		diff := Diff("f", []byte(old.String()), []byte(next.String()))
		if diff == "" || old.Len() == 0 || next.Len() == 0 {
			continue
		}
		if err := os.WriteFile(file, []byte(old.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(patch, "--batch", "--fuzz=0", "f")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(diff)
		out, err := cmd.CombinedOutput()
		got, _ := os.ReadFile(file)
		if err != nil || string(got) != next.String() {
			t.Fatalf("%q with\n%s\nbecame %q, want %q: %v %s", old.String(), diff, got, next.String(), err, out)
		}
	}
}

// TestScriptIsShort: no more lines change than have to.
func TestScriptIsShort(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	line := func() string { return string(rune('a' + random.IntN(3))) }
	for range 300 {
		var a, b []string
		for range random.IntN(12) {
			a = append(a, line())
		}
		for range random.IntN(12) {
			b = append(b, line())
		}
		var was, is []string
		changed := 0
		for _, s := range script(a, b) {
			if s.kind != '+' {
				was = append(was, a[s.a])
			}
			if s.kind != '-' {
				is = append(is, b[s.b])
			}
			if s.kind != ' ' {
				changed++
			}
		}
		if strings.Join(was, "") != strings.Join(a, "") || strings.Join(is, "") != strings.Join(b, "") {
			t.Fatalf("the script of %q and %q is one of %q and %q", a, b, was, is)
		}
		if want := len(a) + len(b) - 2*longest(a, b); changed != want {
			t.Fatalf("%q to %q in %d steps, want %d", a, b, changed, want)
		}
	}
}

// longest is the length of the longest common subsequence, found the slow way.
func longest(a, b []string) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	table := make([][]int, len(a)+1)
	table[0] = make([]int, len(b)+1)
	for i := range a {
		table[i+1] = make([]int, len(b)+1)
		for j := range b {
			if a[i] == b[j] {
				table[i+1][j+1] = table[i][j] + 1
			} else {
				table[i+1][j+1] = max(table[i][j+1], table[i+1][j])
			}
		}
	}
	return table[len(a)][len(b)]
}
