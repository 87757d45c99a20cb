package credfile

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/mfad/mfad/pkg/creds"
)

// ours is a section that none of the files has.
func ours() Section { return Section{Name: "mfad-x", Profile: "mfad-x", Credentials: temporary(1)} }

func oursRead() map[string]any {
	c := temporary(1)
	return map[string]any{
		keyID: c.AccessKeyID, keySecret: c.SecretAccessKey.Reveal(), keyToken: c.SessionToken.Reveal(),
		keyPrincipal: c.Principal, keyExpires: "2030-01-02T03:04:05Z", keyProfile: "mfad-x",
	}
}

// sdkProfile is what the Go SDK, and so Terraform, reads of one profile.
func sdkProfile(t *testing.T, credentials, name string) string {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	c, err := config.LoadSharedConfigProfile(t.Context(), name, func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles, o.ConfigFiles = []string{credentials}, []string{none}
	})
	if err != nil {
		return strings.ReplaceAll(err.Error(), credentials, "FILE")
	}
	return fmt.Sprintf("%q %q %q", c.Credentials.AccessKeyID, c.Credentials.SecretAccessKey, c.Credentials.SessionToken)
}

// TestFilesOfEveryKind applies one section to each of the collected files and
// lets the tools read the result.
func TestFilesOfEveryKind(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob(filepath.Join("testdata", "ini-cases", "*.ini"))
	if err != nil || len(cases) != 73 {
		t.Fatalf("%d files, %v; want 73", len(cases), err)
	}
	paths := make([]string, 0, 3*len(cases))
	files := map[string]*Files{}
	for _, c := range cases {
		src := content(t, c)
		f := home(t, "", "")
		put(t, f.Credentials, src) // home writes no empty file
		before := f.Credentials + ".before"
		put(t, before, src)
		_, err := f.Apply(t.Context(), []Section{ours()}, nil)
		if err != nil {
			if got := content(t, f.Credentials); got != src {
				t.Errorf("%s: refused, but changed", c)
			}
			if creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error(), f.Credentials+":") {
				t.Errorf("%s: %v, want a conflict with FILE:LINE", c, err)
			}
		}
		files[c] = f
		paths = append(paths, before, f.Credentials)
	}
	read := botocore(t, paths)
	refusals := 0
	for _, c := range cases {
		f := files[c]
		before, after := read[f.Credentials+".before"], read[f.Credentials]
		if content(t, f.Credentials) == content(t, f.Credentials+".before") {
			refusals++
			if before != nil {
				t.Logf("%s: refused, though botocore reads it", filepath.Base(c))
			}
			continue
		}
		if !reflect.DeepEqual(after["mfad-x"], oursRead()) {
			t.Errorf("%s: botocore reads our section as %v", c, after["mfad-x"])
		}
		delete(after, "mfad-x")
		for name, defaults := range after { // [DEFAULT] reaches all sections
			if !reflect.DeepEqual(defaults, before[name]) {
				t.Errorf("%s: botocore reads [%s] as %v, before as %v", c, name, defaults, before[name])
			}
		}
		if len(after) != len(before) {
			t.Errorf("%s: %d sections, before %d", c, len(after), len(before))
		}
		for name := range before {
			name = strings.TrimPrefix(strings.TrimSpace(name), "profile ")
			if was, is := sdkProfile(t, f.Credentials+".before", name), sdkProfile(t, f.Credentials, name); was != is {
				t.Errorf("%s: the SDK reads %s differently than before", c, name)
			}
		}
		want := fmt.Sprintf("%q %q %q", temporary(1).AccessKeyID, temporary(1).SecretAccessKey.Reveal(), temporary(1).SessionToken.Reveal())
		if got := sdkProfile(t, f.Credentials, "mfad-x"); got != want {
			t.Errorf("%s: the SDK reads our section as %s", c, got)
		}
	}
	t.Logf("%d of %d files refused", refusals, len(cases))
}

// fragments make files that are hard to read when put together at random.
func fragments() []string {
	return []string{
		"[a]\n", "[b]\r\n", "[a b]\n", "[ a ]\n", " [c]\n", "[d] # x\n", "[e]f]\n", "[g#1]\n", "[]\n", "[h\n", "[DEFAULT]\n", "[mfad-x]\n", "[i] j = k\n", "[]]\n", "[\u00a0]\n",
		"x = 1\n", "X=2\n", "y: 3\n", "z\n", "= 4\n", ": 5\n", "  x = 6\n", "\tw = 7\n", "v =\n", "  n = 8\n", "  m\n", "u = # 9\n", "t = 10 ; c\n", "s = \"q\"\n", "r = `b`\n", `q = """` + "\n",
		"\u00a0p = 11\n", "o\u00a0= 12\n", "\x1cl = 13\n", "k = 14\x0b\n", "j = \x0c15\n", "\u2028i = 16\n", "aws_access_key_id = AKIAEXAMPLE00000001\n", "aws_session_token = x\n", "mfad_profile = mfad-x\n", "  mfad_profile = mfad-x\n", "region = x\n", "mfad_profile = other\n",
		"# c\n", "  ; c\n", "#\n", "\n", "\r\n", "   \n", "\x1f\n", "\xff\n", "\x00\n", "\ufeff", "h = 17", "  g = 18\x1cf\n", "  \x0b e = 19\n", "[K] ]\n",
	}
}

func randomFile(r *rand.Rand) string {
	all := fragments()
	var b strings.Builder
	if r.IntN(4) > 0 {
		b.WriteString("[start]\n")
	}
	for range r.IntN(12) {
		b.WriteString(all[r.IntN(len(all))])
	}
	return b.String()
}

// TestRandomFilesAgainstBotocore compares what is refused, and what is read after
// a splice, with botocore.
func TestRandomFilesAgainstBotocore(t *testing.T) {
	t.Parallel()
	n := 4000
	if testing.Short() {
		n = 500
	}
	r := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	var paths []string
	var refused []*creds.Error
	var spliced []bool
	none := emptyDocument("config")
	for i := range n {
		src := randomFile(r)
		d := newDocument("credentials", []byte(src), readCredentials)
		next, told, err := planCredentials(d, none, []Section{ours()}, nil)
		if err != nil {
			if d.refused == nil {
				t.Errorf("%q: %v", src, err)
			}
			next = nil
		}
		refused = append(refused, d.refused)
		spliced = append(spliced, err == nil && told.Conflicts == nil)
		before, after := filepath.Join(dir, fmt.Sprint(i, ".before")), filepath.Join(dir, fmt.Sprint(i, ".after"))
		put(t, before, src)
		if err := os.WriteFile(after, next, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, before, after)
	}
	read := botocore(t, paths)
	count := 0
	for i := range n {
		was, is := read[paths[2*i]], read[paths[2*i+1]]
		src := content(t, paths[2*i])
		switch {
		case was == nil && refused[i] == nil:
			t.Errorf("botocore refuses %q, mfad does not", src)
		case was != nil && refused[i] != nil && !stricter(refused[i]):
			t.Errorf("mfad refuses %q (%v), botocore does not", src, refused[i])
		case !spliced[i] || was == nil:
			continue
		}
		count++
		checkSpliced(t, src, was, is)
	}
	if count < n/20 {
		t.Errorf("only %d of %d files were compared", count, n)
	}
	t.Logf("%d of %d files compared", count, n)
}

// stricter tells whether mfad refuses more than botocore here, on purpose: what
// the SDKs and botocore read as different sections.
func stricter(e *creds.Error) bool {
	for _, s := range []string{"indented header", "NUL byte", "carriage return", "nested block"} {
		if strings.Contains(e.Op, s) {
			return true
		}
	}
	return false
}

func checkSpliced(t *testing.T, src string, was, is map[string]map[string]any) {
	t.Helper()
	for k, v := range oursRead() {
		if is["mfad-x"][k] != v {
			t.Errorf("%q: botocore reads our %s as %v, want %v", src, k, is["mfad-x"][k], v)
		}
	}
	for name, keys := range was {
		if owner, _ := keys[keyProfile].(string); validName(name) && strings.HasPrefix(owner, "mfad-x") && name != "mfad-x" {
			continue // it had been mfad's, under another name
		}
		if name == "mfad-x" {
			for k, v := range keys { // the user's own keys in it
				if _, own := oursRead()[k]; !own && !reflect.DeepEqual(is[name][k], v) {
					t.Errorf("%q: our section lost %s", src, k)
				}
			}
			continue
		}
		if !reflect.DeepEqual(keys, is[name]) {
			t.Errorf("%q: botocore reads [%s] as %v, before as %v", src, name, is[name], keys)
		}
	}
}
