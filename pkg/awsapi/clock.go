package awsapi

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
)

// Clock is AWS's time: this machine's wall clock, put right by AWS's answers. AWS
// ends what it gave by its own clock, and refuses a signature whose stamp is more
// than 15 minutes off it ("IAM User Guide, AWS Signature Version 4 for API requests").
//
// Each answer of AWS's tells by its Date how far the wall clock is off; less than
// 30 s counts as nothing. That holds until the next answer, a refusal of a stamp
// included, so a difference that is wrong heals with that. What tells nothing is
// an answer without AWS's request ID, such as a captive portal's; a cache's; and
// one during which the machine slept or its clock was set.
//
// Between two answers the wall clock counts the hours asleep, but somebody may
// set it. AWS's time is never earlier than by the monotonic clock since the last
// answer, so a clock that is set back moves it not. One that is set ahead looks as
// one does after a sleep: it is believed until AWS answers.
//
// The zero Clock trusts this machine's. One is shared by all clients of a
// process; it is safe for concurrent use.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration // AWS's time less the wall clock
	told  time.Time     // when AWS last told its time, by both of this machine's clocks; zero: never
	date  time.Time     // what it was then
}

// trusted is how far a Date may be from the wall clock for both to be right: it is
// cut to the second and had its way to make, and nothing hangs on less.
const trusted = 30 * time.Second

// Now is AWS's time, without a monotonic reading.
func (c *Clock) Now() time.Time {
	t := time.Now()
	return t.Round(0).Add(c.aheadAt(t))
}

// aheadAt is how far AWS's time is ahead of the wall clock at t, which is now.
func (c *Clock) aheadAt(t time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.told.IsZero() {
		least := c.date.Add(t.Sub(c.told)).Sub(t.Round(0))
		if least > c.ahead+trusted {
			c.ahead = least // the wall clock was set back
		}
	}
	return c.ahead
}

// learn takes in by how much AWS was ahead of the wall clock when it answered a
// call that began at begun.
func (c *Clock) learn(begun time.Time, ahead time.Duration) {
	t := time.Now()
	if jump := t.Round(0).Sub(begun.Round(0)) - t.Sub(begun); jump.Abs() > trusted {
		return
	}
	if ahead.Abs() < trusted {
		ahead = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.told, c.date = ahead, t, t.Round(0).Add(ahead)
}

// attend has a call signed by AWS's time, and learns from the answer. The SDK
// measures the difference, but keeps it in its client, which here lives for one
// call, and takes it from any answer.
func (c *Clock) attend(s *middleware.Stack) error {
	m, _ := s.Finalize.Get((*retry.Attempt)(nil).ID())
	attempt, ok := m.(*retry.Attempt)
	if !ok {
		return errors.New("the AWS SDK has no step that signs by another clock")
	}
	begun, ahead := time.Now(), new(atomic.Int64)
	ahead.Store(int64(c.aheadAt(begun)))
	attempt.ClientSkew = ahead
	return s.Initialize.Add(middleware.InitializeMiddlewareFunc("Clock", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, answer, err := next.HandleInitialize(ctx, in)
		_, isAWS := awsmiddleware.GetRequestIDMetadata(answer)
		if ahead, measured := awsmiddleware.GetAttemptSkew(answer); measured && isAWS {
			c.learn(begun, ahead)
		}
		return out, answer, err
	}), middleware.After)
}
