//go:build unix && !darwin

package dialog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// Limits of a talk with a pinentry.
const (
	// lineLimit is the protocol's own, in bytes, without the line's end
	// (https://www.gnupg.org/documentation/manuals/assuan/Client-requests.html).
	lineLimit = 1000
	// answerLines is far more than any answer has.
	answerLines = 100
)

// Error codes of libgpg-error, which are the lower 16 bits of what is told.
const (
	codeCanceled      = 99
	codeNotConfirmed  = 114
	codeFullyCanceled = 198
)

// pinentry is a program of GnuPG's that asks for a PIN, and is told what to ask
// over the Assuan protocol (man pinentry; info pinentry, "Protocol").
func pinentry(name string) program {
	return program{
		name: name,
		ask: func(ctx context.Context, d *Dialog, p Prompt) (creds.Secret, error) {
			return runPinentry(ctx, d, p, pinQuestion)
		},
		confirm: func(ctx context.Context, d *Dialog, p Prompt) error {
			_, err := runPinentry(ctx, d, p, yesQuestion)
			return err
		},
	}
}

// form is what a pinentry is asked, and what only that has of settings.
type form struct{ command, setting, button string }

var (
	pinQuestion = form{"GETPIN", "SETPROMPT Code:", ""}
	yesQuestion = form{"CONFIRM", "SETCANCEL " + denyLabel, "SETOK " + allowLabel}
)

func runPinentry(ctx context.Context, d *Dialog, p Prompt, f form) (creds.Secret, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := d.command(ctx)
	in, err := cmd.StdinPipe()
	if err != nil {
		return creds.Secret{}, err
	}
	out, printed := io.Pipe()
	cmd.Stdout = printed
	if err := cmd.Start(); err != nil {
		return creds.Secret{}, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
		sweep(cmd)
		_ = printed.Close()
	}()
	talk := &assuan{in: in, out: bufio.NewReaderSize(out, lineLimit+2)}
	slow := time.AfterFunc(d.quick, cancel)
	answer, err := talk.ask(p, f, func() { slow.Stop() })
	if err != nil && ctx.Err() != nil {
		err = errors.New("it does not answer")
	}
	_, _ = io.WriteString(in, "BYE\n")
	_, _ = in.Close(), out.Close()
	slow.Reset(grace)
	<-ended
	slow.Stop()
	return answer, err
}

// assuan is the client's end of a talk.
type assuan struct {
	in  io.Writer
	out *bufio.Reader
}

// ask says what to ask, and asks. It calls ready when it is the person's turn.
func (a *assuan) ask(p Prompt, f form, ready func()) (creds.Secret, error) {
	if _, err := a.answer(); err != nil { // the greeting
		return creds.Secret{}, err
	}
	for _, command := range []string{
		// Keys that are meant for another window are not to land in this one,
		// which opens by itself, nor is it to take the whole screen.
		"OPTION no-grab",
		"SETTIMEOUT 0", // the window stays open; a minute is what it has by itself
		setting("SETTITLE", oneLine(p.Title)),
		setting("SETDESC", printable(p.Text)),
		f.setting,
		f.button,
		setting("SETERROR", oneLine(p.Reason)),
	} {
		if command == "SETERROR " || command == "" {
			continue
		}
		if _, err := a.call(command); err != nil && !isRefusal(err) { // it need not know them all
			return creds.Secret{}, err
		}
	}
	flavor, err := a.call("GETINFO flavor")
	if err != nil && !isRefusal(err) {
		return creds.Secret{}, err
	}
	if f := flavor.Reveal(); strings.HasSuffix(f, "curses") || strings.HasSuffix(f, "tty") {
		return creds.Secret{}, errors.New("it can open no window")
	}
	ready()
	answer, err := a.call(f.command)
	if r, ok := errors.AsType[refusal](err); ok {
		switch r & 0xffff {
		case codeCanceled, codeFullyCanceled, codeNotConfirmed:
			return creds.Secret{}, errDeclined
		}
	}
	return answer, err
}

// refusal is the number that a pinentry's ERR has.
type refusal uint32

func (r refusal) Error() string {
	return fmt.Sprintf("it failed with libgpg-error's code %d", r&0xffff)
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[refusal](err)
	return ok
}

// setting is a command whose argument is a text, cut to what a line can hold.
func setting(command, text string) string {
	var b strings.Builder
	b.WriteString(command + " ")
	for _, r := range text {
		c := string(r)
		if r == '%' || r == '\n' || r == '\r' {
			c = fmt.Sprintf("%%%02X", r)
		}
		if b.Len()+len(c) > lineLimit {
			break
		}
		b.WriteString(c)
	}
	return b.String()
}

func (a *assuan) call(command string) (creds.Secret, error) {
	if _, err := io.WriteString(a.in, command+"\n"); err != nil {
		return creds.Secret{}, errors.New("it ended early")
	}
	return a.answer()
}

// answer reads up to OK or ERR and gives the data before it.
func (a *assuan) answer() (creds.Secret, error) {
	var data [lineLimit]byte
	n := 0
	defer func() { clear(data[:]) }()
	for range answerLines {
		line, err := a.out.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return creds.Secret{}, errTooMuch
		}
		if err != nil {
			return creds.Secret{}, errors.New("it ended early")
		}
		word, rest, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(" "))
		switch string(word) {
		case "OK":
			return creds.NewSecret(string(data[:n])), nil
		case "ERR":
			number, _, _ := bytes.Cut(rest, []byte(" "))
			code, _ := strconv.ParseUint(string(number), 10, 32)
			return creds.Secret{}, refusal(code)
		case "D":
			n += copy(data[n:], unescape(rest))
		case "INQUIRE":
			return creds.Secret{}, errors.New("it wants to know more than it was told")
		}
		clear(line)
	}
	return creds.Secret{}, errTooMuch
}

// unescape undoes %XX in place.
func unescape(b []byte) []byte {
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '%' && i+2 < len(b) {
			if v, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8); err == nil {
				c, i = byte(v), i+2
			}
		}
		b[n] = c
		n++
	}
	return b[:n]
}
