// Command benchmark measures what a user of mfad waits for and pays: how long an
// answer takes, how long a code takes to become ten or a thousand fresh profiles,
// what a hundred commands at once cost, how long a large file takes, and what the
// daemon costs while nothing happens.
//
// Each time is compared with a reference that is measured in turns with it, so
// that a slow or busy machine slows both. It asserts nothing: a figure over its
// limit is printed as such, and the exit status is 0 all the same. It never
// touches the files of whoever runs it, and reaches nothing but the loopback.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mfad/mfad/scripts/building"
)

// page is what is written, seen from the folder of go.mod.
const page = "docs/performance.md"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "mfad-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tell("build mfad and the reference")
	programs, err := build(ctx, dir)
	if err != nil {
		return err
	}
	figures, err := measure(ctx, programs, dir)
	if err != nil {
		return err
	}
	if err := writeText(os.Stdout, figures); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := writePage(&b, figures, thisMachine()); err != nil {
		return err
	}
	tell("write " + page)
	return os.WriteFile(page, b.Bytes(), 0o644)
}

// measure takes all figures, in the order of the page.
func measure(ctx context.Context, p programs, dir string) ([]figure, error) {
	figures, err := measureSize(p)
	if err != nil {
		return nil, err
	}
	tell("a large file") // while nothing else is in this process's memory
	file, err := measureFile(ctx)
	if err != nil {
		return nil, fmt.Errorf("a large file: %w", err)
	}
	ten, err := newStage(ctx, p, filepath.Join(dir, "ten"), 10, 80*time.Millisecond)
	if err != nil {
		return nil, err
	}
	defer ten.close()
	many, err := newStage(ctx, p, filepath.Join(dir, "thousand"), 1000, 50*time.Millisecond)
	if err != nil {
		return nil, err
	}
	defer many.close()
	for _, part := range []struct {
		name    string
		measure func(context.Context) ([]figure, error)
	}{
		{"one code, ten profiles", ten.measureLogin},
		{"start and answer", ten.measureStart},
		{"a hundred at once, a hundred roles", func(ctx context.Context) ([]figure, error) {
			return measureCrowd(ctx, p, filepath.Join(dir, "roles"), crowd)
		}},
		{"a hundred at once, one role", func(ctx context.Context) ([]figure, error) {
			return measureCrowd(ctx, p, filepath.Join(dir, "role"), 1)
		}},
		{"one code, a thousand profiles", many.measureScale},
		{"at rest, 80 s", func(ctx context.Context) ([]figure, error) { return measureRest(ctx, ten, many) }},
	} {
		tell(part.name)
		more, err := part.measure(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		figures = append(figures, more...)
	}
	return append(figures, file...), nil
}

func tell(what string) { fmt.Fprintln(os.Stderr, "--- "+what) }

// programs are the paths of what is measured and of what it is measured against.
type programs struct{ mfad, reference string }

// build makes both in the same way, and installs them as a package would: a file that
// the linker has just written lies in the system's cache in smaller parts, and starts
// some percent more slowly.
func build(ctx context.Context, dir string) (programs, error) {
	p := programs{filepath.Join(dir, "mfad"), filepath.Join(dir, "reference")}
	for path, pkg := range map[string]string{p.mfad: "./cmd/mfad", p.reference: "./scripts/benchmark/reference"} {
		if err := building.Build(ctx, path+".built", pkg); err != nil {
			return p, err
		}
		program, err := os.ReadFile(path + ".built")
		if err != nil {
			return p, err
		}
		if err := os.WriteFile(path, program, 0o755); err != nil {
			return p, err
		}
	}
	return p, nil
}

// measureSize weighs the program.
func measureSize(p programs) ([]figure, error) {
	mfad, err := os.Stat(p.mfad)
	if err != nil {
		return nil, err
	}
	return []figure{{name: "the program, without symbols", measured: mib(mfad.Size()), limit: quantity{20, "MiB"}}}, nil
}
