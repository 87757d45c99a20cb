package awsapi

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/mfad/mfad/pkg/creds"
)

// Reach is how the STS endpoint answered a request that asks for nothing.
type Reach struct {
	Host  string // the endpoint's, with its port where one is named
	Proxy string // host of the proxy that was used; empty: none
	// Ahead is AWS's clock less this machine's, right to a second and the way that
	// the answer took; Dated tells whether the answer had a Date at all.
	Ahead time.Duration
	Dated bool
	// Err is why there was no answer, or none that can be AWS's: [creds.CodeNetwork],
	// [creds.CodeUnavailable], or [creds.CodeConfig] for an endpoint that makes no
	// sense. Nil: STS was reached.
	Err error
}

// Probe sends one unsigned GET / to the STS endpoint, over the proxy and with the
// certificates that every call uses, and takes any answer that is not a server's
// failure: without a signature STS has nothing to say but its Date. It is no call
// of an action: no credentials are needed, [Endpoint.Observe] is told nothing, and
// the [Endpoint.Clock] stays as it is.
func Probe(ctx context.Context, e Endpoint) Reach {
	c, err := New(e)
	if err != nil {
		return Reach{Err: err}
	}
	e = c.endpoint // with the region that is meant where there is none
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	at, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, sts.EndpointParameters{
		Region: aws.String(e.Region), UseFIPS: aws.Bool(e.FIPS), UseDualStack: aws.Bool(e.DualStack), Endpoint: e.base(e.STS),
	})
	if err != nil {
		return Reach{Err: &creds.Error{Code: creds.CodeConfig, Op: "find the endpoint of STS in " + e.Region, Hint: "correct the region or the endpoint", Err: err}}
	}
	at.URI.Path = "/"
	r := Reach{Host: at.URI.Host}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.URI.String(), nil)
	if err != nil {
		r.Err = &creds.Error{Code: creds.CodeConfig, Op: "reach " + r.Host, Hint: "correct the endpoint", Err: err}
		return r
	}
	if proxy, err := e.proxy()(req); err == nil && proxy != nil {
		r.Proxy = proxy.Host
	}
	begun := time.Now()
	resp, err := c.http.Do(req)
	took := time.Since(begun)
	if err != nil {
		r.Err = &creds.Error{Code: creds.CodeNetwork, Op: r.Host, Hint: r.advice(e), Err: cause(err)}
		return r
	}
	_ = resp.Body.Close() // of no interest
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// Cut to the second, and half the way old.
		r.Ahead, r.Dated = date.Add(time.Second/2).Sub(begun.Add(took/2).Round(0)), true
	}
	if resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusProxyAuthRequired {
		r.Err = &creds.Error{Code: creds.CodeUnavailable, Op: r.Host + " answered " + resp.Status, Hint: r.advice(e)}
	}
	return r
}

// advice is what to look at where the endpoint is not reached.
func (r Reach) advice(e Endpoint) string {
	switch {
	case r.Proxy != "":
		return "check the proxy " + r.Proxy + " (https_proxy and no_proxy in the config or the environment), and ca_bundle if it opens TLS"
	case e.base(e.STS) != nil:
		return "check endpoint_url and endpoint_url_sts in the config, AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_STS in the environment: this is not AWS's own endpoint"
	}
	return "check the network, or set https_proxy in the config if there is a proxy"
}
