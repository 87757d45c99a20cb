package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	startPairs = 600
	cliPairs   = 5 // the AWS CLI takes its time
	execPairs  = 60
)

// measureStart compares the answer to an SDK's question, from the start of the
// process to its end, with the least that a Go program can do, and with the AWS
// CLI doing nothing, where there is one. The stage is logged in.
func (s *stage) measureStart(ctx context.Context) ([]figure, error) {
	answer, err := s.command(s.mfad, "credential-process", "--profile", s.profiles[0]).Output()
	if err != nil {
		return nil, fmt.Errorf("mfad credential-process: %w", err)
	}
	ref, err := serve(s.path("reference.sock"), answer)
	if err != nil {
		return nil, err
	}
	defer ref.close()
	out, err := os.Create(s.path("answers"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	mfad := func() (time.Duration, error) {
		return timed(ctx, s.command(s.mfad, "credential-process", "--profile", s.profiles[0]), out)
	}
	reference := func() (time.Duration, error) { return timed(ctx, s.command(s.reference, ref.path()), out) }
	warm, err := inTurns(startPairs, mfad, reference)
	if err != nil {
		return nil, err
	}
	if err := allAnswered(out, answer, 2*startPairs); err != nil {
		return nil, err
	}
	first := warm.figure("`mfad credential-process`, answered from memory", "a minimal Go program")
	first.limit = quantity{1.2, times}
	figures := []figure{first}
	if aws, err := exec.LookPath("aws"); err == nil {
		version := func() (time.Duration, error) { return timed(ctx, exec.Command(aws, "--version"), nil) }
		cli, err := inTurns(cliPairs, mfad, version)
		if err != nil {
			return nil, err
		}
		second := cli.figure("— the same", "`aws --version`")
		second.limit = quantity{0.01, times}
		figures = append(figures, second)
	}
	word := func() (time.Duration, error) { return timed(ctx, s.command(s.mfad, "status", "--short"), nil) }
	prompt, err := inTurns(startPairs, word, reference)
	if err != nil {
		return nil, err
	}
	short := prompt.figure("`mfad status --short`, in a prompt", "a minimal Go program")
	short.limit = quantity{1.2, times}
	figures = append(figures, short)
	inside := func() (time.Duration, error) {
		return timed(ctx, s.command(s.mfad, "exec", s.profiles[0], "--", "true"), nil)
	}
	around, err := inTurns(execPairs, inside, reference)
	if err != nil {
		return nil, err
	}
	return append(figures, around.figure("`mfad exec PROFILE -- true`", "a minimal Go program")), nil
}

// command is a process on the stage, not started yet.
func (s *stage) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = s.environment()
	return cmd
}

// timed runs a process, with its output in out, and gives its time from before it
// is started until it is gone.
func timed(ctx context.Context, cmd *exec.Cmd, out *os.File) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if out != nil {
		cmd.Stdout = out // a file: nothing in this process has to copy
	}
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w", cmd.Path, err)
	}
	return time.Since(begin), nil
}

// inTurns times two things n times each, and every other time the second first.
func inTurns(n int, measured, reference func() (time.Duration, error)) (*pairs, error) {
	p := &pairs{}
	for i := range n {
		one, other := measured, reference
		if i%2 == 1 {
			one, other = other, one
		}
		a, err := one()
		if err != nil {
			return nil, err
		}
		b, err := other()
		if err != nil {
			return nil, err
		}
		if i%2 == 1 {
			a, b = b, a
		}
		p.add(a, b)
	}
	return p, nil
}

// allAnswered makes sure that every process printed the same whole answer: one
// that fails fast is not quick.
func allAnswered(out *os.File, answer []byte, n int) error {
	got, err := os.ReadFile(out.Name())
	if err != nil {
		return err
	}
	if !bytes.Equal(got, bytes.Repeat(answer, n)) {
		return fmt.Errorf("%d processes printed %d bytes, not each the same %d", n, len(got), len(answer))
	}
	return nil
}

// referenceServer answers the reference program.
type referenceServer struct {
	listener net.Listener
	parts    sync.WaitGroup
}

// serve answers each line that comes in at a unix socket with the same one; an
// empty answer is never sent.
func serve(path string, answer []byte) (*referenceServer, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	r := &referenceServer{listener: l}
	r.parts.Go(func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			} else if err != nil {
				continue
			}
			r.parts.Go(func() {
				defer conn.Close()
				lines := bufio.NewReader(conn)
				if _, err := lines.ReadString('\n'); err != nil {
					return
				}
				if len(answer) == 0 {
					_, _ = lines.ReadByte() // until the client goes
				}
				_, _ = conn.Write(answer) // the client's exit status tells
			})
		}
	})
	return r, nil
}

func (r *referenceServer) path() string { return r.listener.Addr().String() }

// close ends the server; its clients are gone by then.
func (r *referenceServer) close() {
	_ = r.listener.Close()
	r.parts.Wait()
}
