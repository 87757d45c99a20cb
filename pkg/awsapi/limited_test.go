package awsapi

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// endless answers without an end.
type endless struct{}

func (endless) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(endless{})}, nil
}

func (endless) Read(b []byte) (int, error) { return copy(b, strings.Repeat("x", len(b))), nil }

// TestAnAnswerWithoutAnEnd is read up to a bound.
func TestAnAnswerWithoutAnEnd(t *testing.T) {
	resp, err := limited{endless{}}.RoundTrip(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != maxAnswer || err != nil {
		t.Errorf("%d bytes are read (%v), want %d", n, err, int64(maxAnswer))
	}
}
