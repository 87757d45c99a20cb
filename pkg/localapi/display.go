package localapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/mfad/mfad/pkg/mfa"
)

// DisplayHeader tells the daemon where the client's person can be asked: an
// [mfa.Display] as a query string.
const DisplayHeader = "Mfad-Display"

// maxDisplay bounds the header, in bytes.
const maxDisplay = 8 << 10

// displayHeader is a display as it travels.
func displayHeader(d mfa.Display) string {
	v := url.Values{}
	for name, value := range d {
		v.Set(name, value)
	}
	return v.Encode()
}

// parseDisplay takes what a client sent, but for what leads to no desktop.
func parseDisplay(header string) mfa.Display {
	values, err := url.ParseQuery(header)
	if err != nil || len(header) > maxDisplay {
		return nil
	}
	return mfa.DisplayOf(values.Get)
}

// displayKey is the key of a client's display in its request's context.
type displayKey struct{}

// withDisplay keeps what the client sent for DisplayOf.
func withDisplay(r *http.Request) *http.Request {
	d := parseDisplay(r.Header.Get(DisplayHeader))
	if !d.Graphical() {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), displayKey{}, d))
}

// DisplayOf gives the display of the client whose request ctx is of; nil: it has
// none, or did not tell.
func DisplayOf(ctx context.Context) mfa.Display {
	d, _ := ctx.Value(displayKey{}).(mfa.Display)
	return d
}
