package localapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/mfad/mfad/pkg/consent"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/mfa"
)

// Client talks to a daemon. Set the fields before the first call.
type Client struct {
	// Sockets are tried in order until one answers.
	Sockets []string
	// Version is sent along; Mismatch, if set, is told a daemon's other one.
	Version  string
	Mismatch func(daemon string)
	// Display is where this process's person can be asked; nil: nowhere.
	Display mfa.Display

	http http.Client
	told sync.Once // Mismatch
}

// ErrNoDaemon is wrapped by the error of a call that reached nobody.
var ErrNoDaemon = errors.New("no daemon answers")

// dial reaches the first socket that answers.
func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var reason error // of the first: it is where a daemon should be
	for _, path := range c.Sockets {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		if reason == nil {
			reason = err
		}
	}
	if reason == nil {
		return nil, ErrNoDaemon
	}
	return nil, fmt.Errorf("%w: %w", ErrNoDaemon, reason)
}

// Do makes one call: body as JSON (nil: a GET) to path, its answer into out.
func (c *Client) Do(ctx context.Context, path string, body, out any) error {
	resp, err := c.send(ctx, path, body, "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errorOf(resp)
	}
	if out == nil {
		return nil
	}
	return broken(json.NewDecoder(resp.Body).Decode(out))
}

// Hearing is told what the daemon wants of the client's person. It must not block.
type Hearing struct {
	// Code is told each question for a code and each end of one; nil: nobody cares.
	Code func(mfa.Event)
	// Confirm is told a question whether a program may use a profile. Its end is the
	// end of the call, or a question for a code. Nil: nobody cares.
	Confirm func(consent.Question)
	// Note is told how far a long call has come; nil: nobody cares.
	Note func(string)
}

// Converse makes a call whose answer may ask the client's person something.
func (c *Client) Converse(ctx context.Context, path string, body, out any, hear Hearing) error {
	resp, err := c.send(ctx, path, body, streamType)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errorOf(resp)
	}
	return read(resp, func(m message) (bool, error) {
		switch m.Event {
		case string(mfa.Ask), string(mfa.Stop), string(mfa.Wait):
			e := mfa.Event{Kind: mfa.EventKind(m.Event)}
			if m.Question != nil {
				e.Question = *m.Question
			}
			if hear.Code != nil {
				hear.Code(e)
			}
		case confirmEvent:
			if m.Confirm != nil && hear.Confirm != nil {
				hear.Confirm(*m.Confirm)
			}
		case noteEvent:
			if hear.Note != nil {
				hear.Note(m.Note)
			}
		case "error":
			return true, m.Error.Err()
		case "result":
			return true, broken(json.Unmarshal(m.Result, out))
		}
		return false, nil
	})
}

// Events calls seen with a status now and after every change, until ctx ends or
// the daemon goes.
func (c *Client) Events(ctx context.Context, seen func(Status)) error {
	resp, err := c.send(ctx, "/v1/events", nil, streamType)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errorOf(resp)
	}
	return read(resp, func(m message) (bool, error) {
		if m.Status != nil {
			seen(*m.Status)
		}
		return false, nil
	})
}

// message is a [Message] whose result is not decoded yet.
type message struct {
	Message
	Result json.RawMessage `json:"result"`
}

// read hands a stream's lines on until one is the last.
func read(resp *http.Response, line func(message) (last bool, err error)) error {
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return broken(err)
		}
		if last, err := line(m); last || err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return gone(resp.Request.Context(), err)
	}
	return gone(resp.Request.Context(), errors.New("the daemon stopped in the middle of an answer"))
}

func (c *Client) send(ctx context.Context, path string, body any, accept string) (*http.Response, error) {
	if c.http.Transport == nil {
		c.http.Transport = &http.Transport{DialContext: c.dial, DisableKeepAlives: true}
	}
	method, content := http.MethodGet, []byte(nil)
	if body != nil {
		var err error
		method = http.MethodPost
		if content, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+Host+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set(VersionHeader, c.Version)
	if c.Display.Graphical() {
		req.Header.Set(DisplayHeader, displayHeader(c.Display))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, gone(ctx, err)
	}
	if v := resp.Header.Get(VersionHeader); v != c.Version && c.Mismatch != nil {
		c.told.Do(func() { c.Mismatch(v) })
	}
	return resp, nil
}

// gone words a daemon that is not there, or is no more.
func gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &creds.Error{Code: creds.CodeDaemonDown, Op: "reach the daemon", Hint: "run: mfad daemon", Err: err}
}

// broken words an answer that is none.
func broken(err error) error {
	if err == nil {
		return nil
	}
	return &creds.Error{Code: creds.CodeInternal, Op: "read the daemon's answer",
		Hint: "the daemon may be another version: stop it, then try again", Err: err}
}

func errorOf(resp *http.Response) error {
	var e Error
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || e.Code == "" {
		return broken(fmt.Errorf("status %s", resp.Status))
	}
	return e.Err()
}
