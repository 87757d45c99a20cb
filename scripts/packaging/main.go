// Command packaging makes a release of mfad in a folder: static programs in archives
// for six systems, packages of Debian's and of RPM's kind, a list of what is in each
// program, a Homebrew formula, a Nix expression, and the checksums of all.
//
// The same source, version, date and Go give the same bytes, wherever they are made.
// It publishes nothing, signs nothing, and changes nothing but that folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		stop()
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// run makes a release as the arguments say. It is run in the module's folder.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("package", flag.ContinueOnError)
	out := flags.String("out", "", "make it in `FOLDER`, which is new or empty (default dist/VERSION, made anew)")
	version := flags.String("version", "", "`VERSION`, such as 1.2.3 (default: what git describe tells)")
	url := flags.String("url", "", "the `ADDRESS` of the folder from which the files will be fetched (default: the release's at GitHub)")
	targets := flags.String("targets", strings.Join(allTargets(), ","), "only these `SYSTEMS`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("what is %q? see --help", flags.Arg(0))
	}
	systems, err := parseTargets(*targets)
	if err != nil {
		return err
	}
	r, err := newRelease(ctx, *version, *url, os.Getenv)
	if err != nil {
		return err
	}
	if r.out, err = folder(*out, r.version); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "mfad-package-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	if err := r.make(ctx, systems); err != nil {
		return err
	}
	fmt.Println(r.out)
	return nil
}

// folder prepares the folder of a release. One that was named is not emptied.
func folder(out, version string) (string, error) {
	if out == "" {
		out = filepath.Join("dist", version)
		if err := os.RemoveAll(out); err != nil {
			return "", err
		}
	}
	there, err := os.ReadDir(out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if len(there) > 0 {
		return "", fmt.Errorf("%s is not empty", out)
	}
	return out, os.MkdirAll(out, 0o755)
}
