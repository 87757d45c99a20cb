package consent

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfad/mfad/pkg/creds"
)

// person answers windows, and counts them.
type person struct {
	mu     sync.Mutex
	opened int
	open   int // now
	says   chan bool
}

func (p *person) way() Way {
	return Way{Name: "dialog", Ask: func(ctx context.Context, _ Question) (bool, error) {
		p.mu.Lock()
		p.opened++
		p.open++
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.open--
		}()
		select {
		case yes := <-p.says:
			return yes, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}}
}

func (p *person) wants(t *testing.T, when string, opened, open int) {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened != opened || p.open != open {
		t.Errorf("%s: %d windows were opened, %d are; want %d and %d", when, p.opened, p.open, opened, open)
	}
}

// outcome is what an Ask gave.
type outcome struct {
	Verdict
	err error
}

func ask(ctx context.Context, d *Desk, r Request) <-chan outcome {
	c := make(chan outcome, 1)
	go func() {
		v, err := d.Ask(ctx, r)
		c <- outcome{v, err}
	}()
	synctest.Wait()
	return c
}

func request(program string, ways ...Way) Request {
	return Request{Key: Key{"prod", program}, Question: Question{Profile: "prod", Program: program}, Ways: ways}
}

func TestAnAnswerCountsForAWhile(t *testing.T) {
	for _, tt := range []struct {
		name  string
		yes   bool
		lasts time.Duration
	}{
		{"a yes", true, YesLasts},
		{"a no", false, NoLasts},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, p := NewDesk(), &person{says: make(chan bool)}
				first := ask(t.Context(), d, request("terraform", p.way()))
				p.says <- tt.yes
				if o := <-first; o.err != nil || o.Allowed != tt.yes || o.By != "dialog" {
					t.Fatalf("the answer is %+v", o)
				}
				time.Sleep(tt.lasts - time.Second)
				if o := <-ask(t.Context(), d, request("terraform", p.way())); o.err != nil || o.Allowed != tt.yes {
					t.Errorf("a second before its end the answer is %+v", o)
				}
				p.wants(t, "within its time", 1, 0)
				other := ask(t.Context(), d, request("aws", p.way()))
				p.wants(t, "for another program", 2, 1)
				p.says <- true
				<-other
				time.Sleep(time.Second)
				if v, ok := d.Remembered(Key{"prod", "terraform"}); ok {
					t.Errorf("after %v %+v still counts", tt.lasts, v)
				}
				again := ask(t.Context(), d, request("terraform", p.way()))
				p.wants(t, "after its time", 3, 1)
				p.says <- true
				<-again
			})
		})
	}
}

func TestClocks(t *testing.T) {
	at := time.Now()
	for _, tt := range []struct {
		name string
		now  time.Time
		want bool
	}{
		{"at once", at, true},
		{"set back a little", at.Add(-time.Second).Round(0), true},
		{"set back by an hour", at.Add(-time.Hour).Round(0), false},
		{"asleep for an hour", at.Add(time.Hour).Round(0), false},
		{"five minutes by the clock that nobody sets", at.Add(YesLasts), false},
	} {
		if got := (Verdict{Allowed: true, At: at}).countsAt(tt.now); got != tt.want {
			t.Errorf("%s: counts %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestOneQuestionForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, p := NewDesk(), &person{says: make(chan bool)}
		gone, leave := context.WithCancelCause(t.Context())
		first := ask(gone, d, request("terraform", p.way()))
		second := ask(t.Context(), d, request("terraform", p.way()))
		p.wants(t, "with two who wait", 1, 1)
		left := errors.New("left")
		leave(left)
		if o := <-first; !errors.Is(o.err, left) {
			t.Errorf("who left got %+v", o)
		}
		p.wants(t, "after one has left", 1, 1)
		p.says <- true
		if o := <-second; o.err != nil || !o.Allowed {
			t.Errorf("who stayed got %+v", o)
		}
	})
}

func TestTheLastWhoLeavesClosesTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, p := NewDesk(), &person{says: make(chan bool)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if o := <-ask(ctx, d, request("terraform", p.way())); !errors.Is(o.err, context.DeadlineExceeded) {
			t.Errorf("without an answer: %+v", o)
		}
		p.wants(t, "afterwards", 1, 0)
		if _, ok := d.Remembered(Key{"prod", "terraform"}); ok {
			t.Error("no answer is remembered as one")
		}
	})
}

func TestAProgramThatCannotBeToldSharesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, p := NewDesk(), &person{says: make(chan bool)}
		a, b := ask(t.Context(), d, request("", p.way())), ask(t.Context(), d, request("", p.way()))
		p.wants(t, "of two", 2, 2)
		p.says <- true
		p.says <- true
		<-a
		<-b
		if v, ok := d.Remembered(Key{"prod", ""}); ok {
			t.Errorf("%+v is remembered", v)
		}
	})
}

// terminal is a client's.
type terminal struct{ shown chan Question }

func (x *terminal) of(r Request) Request {
	x.shown = make(chan Question, 1)
	r.Terminal = func(q Question) { x.shown <- q }
	return r
}

func TestTerminals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, p := NewDesk(), &person{says: make(chan bool)}
		ways := []Way{{Name: "terminal"}, p.way()}
		var one, two terminal
		ctx, leave := context.WithCancel(t.Context())
		first := ask(ctx, d, one.of(request("terraform", ways...)))
		second := ask(t.Context(), d, two.of(request("terraform", ways...)))
		q := <-one.shown
		synctest.Wait()
		if len(two.shown) > 0 || len(q.ID) != 32 || q.Profile != "prod" {
			t.Fatalf("the first was asked %+v, the second %d times", q, len(two.shown))
		}
		leave()
		<-first
		if again := <-two.shown; again != q {
			t.Errorf("the second is asked %+v, want the same", again)
		}
		if err := d.Answer("00000000000000000000000000000000", true); creds.CodeOf(err) != creds.CodeUsage {
			t.Errorf("an answer to another question: %v", err)
		}
		if err := d.Answer(q.ID, true); err != nil {
			t.Fatal(err)
		}
		if o := <-second; !o.Allowed || o.By != "terminal" {
			t.Errorf("the second got %+v", o)
		}
		if err := d.Answer(q.ID, false); creds.CodeOf(err) != creds.CodeUsage {
			t.Errorf("an answer too late: %v", err)
		}
		p.wants(t, "with terminals", 0, 0)
	})
}

func TestTheNextWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, p := NewDesk(), &person{says: make(chan bool, 1)}
		fails := Way{Name: "broken", Ask: func(context.Context, Question) (bool, error) { return true, errors.New("no window can be opened") }}
		p.says <- true
		if o := <-ask(t.Context(), d, request("terraform", Way{Name: "terminal"}, fails, p.way())); !o.Allowed || o.By != "dialog" {
			t.Errorf("after two ways that do not work: %+v", o)
		}
		if o := <-ask(t.Context(), d, request("aws", Way{Name: "terminal"}, fails)); !errors.Is(o.err, ErrNobody) || o.Allowed {
			t.Errorf("where no way works: %+v", o)
		}
	})
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, p := NewDesk(), &person{says: make(chan bool, 1)}
		p.says <- true
		<-ask(t.Context(), d, request("terraform", p.way()))
		d.Forget()
		if _, ok := d.Remembered(Key{"prod", "terraform"}); ok {
			t.Error("what was forgotten counts")
		}
	})
}

func TestWords(t *testing.T) {
	q := Question{Profile: "prod", Program: "python3 aws", PID: 7, Path: "/usr/bin/aws"}
	run := Question{Profile: "prod", Program: "terraform", PID: 8, By: "bash", Run: true}
	for got, want := range map[string]string{
		q.Line():                      "Allow python3 aws (pid 7) to use profile prod?",
		run.Line():                    "Allow terraform (pid 8, started by bash) to use profile prod?",
		Question{Profile: "x"}.Line(): "Allow a program that cannot be told to use profile x?",
		q.Title():                     "mfad: allow the use of prod?",
		q.Text():                      "Allow python3 aws (pid 7) to use profile prod?\n\n/usr/bin/aws\n\nA yes counts for 5 minutes.",
		run.Text():                    "Allow terraform (pid 8, started by bash) to use profile prod?\n\nA yes counts until the command ends.",
		q.Note():                      "python3 aws (pid 7)\n/usr/bin/aws\nA yes counts for 5 minutes.",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
