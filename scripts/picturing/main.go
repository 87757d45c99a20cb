// Command picturing makes the pictures of docs/guide.md: it has mfad, the built
// program, work in a home and with an AWS of its own, sits at a real terminal and a
// real desktop as a person would, and keeps what is to be seen there. Terminals
// become SVG, windows PNG. It never draws what mfad did not show, and touches
// nothing but the home that it is given and the folder for the pictures.
//
// It is started by scripts/pictures, which gives it a machine whose paths are those
// of a user.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	out := flag.String("out", "docs/img", "the folder for the pictures")
	clock := flag.String("clock", "", "the file by which mfad's clock is set")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *clock); err != nil {
		fmt.Fprintln(os.Stderr, "picturing:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, out, clock string) error {
	s, err := newStage(ctx, out, clock)
	if err != nil {
		return err
	}
	defer s.close()
	for _, scene := range []struct {
		name string
		play func(s *stage) error
	}{
		{"setup", setup}, {"status", status}, {"doctor", doctor}, {"the desktop", desktop}, {"login", login}, {"many profiles", many},
	} {
		if err := scene.play(s); err != nil {
			return fmt.Errorf("%s: %w", scene.name, err)
		}
	}
	return nil
}
