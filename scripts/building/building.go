// Package building makes programs of this module the way mfad is released: static,
// without symbols, and with no path of the machine that made them. What is measured
// and packed is so what users run. It never changes the tree.
package building

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// tags leave out what mfad does not need: HTTP/2 costs a megabyte of memory, and
// what mfad has of AWS are single small answers.
const tags = "nethttpomithttp2"

// Build makes the program of a package of this module at path, for the system that
// env names (GOOS, GOARCH; empty: this one). It is run in the module's folder.
func Build(ctx context.Context, path, pkg string, env ...string) error {
	return build(ctx, path, pkg, "-s -w", env)
}

// Release makes mfad itself, which tells that it is that version. The same source
// and the same Go give the same bytes, wherever and by whomever they are made.
func Release(ctx context.Context, path, version, goos, goarch string) error {
	return build(ctx, path, "./cmd/mfad", "-s -w -X github.com/mfad/mfad/pkg/cli.release="+version, []string{
		"GOOS=" + goos, "GOARCH=" + goarch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=-trimpath", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off", // neither the builder's own, nor those of `go env -w`
	})
}

func build(ctx context.Context, path, pkg, ldflags string, env []string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", // a copy without .git makes the same
		"-tags="+tags, "-ldflags="+ldflags, "-o", path, pkg)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
