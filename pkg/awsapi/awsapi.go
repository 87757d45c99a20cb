// Package awsapi calls AWS's STS and IAM through aws-sdk-go-v2, and the console's
// sign-in federation endpoint, and turns what they answer, errors above all, into
// the words of package creds. It decides nothing, repeats nothing, keeps nothing
// but AWS's time and never puts a secret into an error: a call that carries a token
// code may have spent it, so whoever calls decides what is done again.
package awsapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/net/http/httpproxy"

	"github.com/mfad/mfad/pkg/creds"
)

// Endpoint says where and how AWS is reached. The zero value reaches AWS itself
// in us-east-1. The fields mean what AWS's own variables of like name mean
// (https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html).
type Endpoint struct {
	Region     string
	URL        string // all services; empty: AWS's own
	STS, IAM   string // one service; wins over URL
	CABundle   string // a PEM file used instead of the system's roots
	FIPS       bool
	DualStack  bool
	HTTPSProxy string // empty: the environment's
	NoProxy    string
	Clock      *Clock // calls are signed by it and set it right; nil: one of the client's own

	// Observe is told of every finished call, failed ones and those that never
	// left this machine included, with the context that the caller gave. It runs
	// in the caller's goroutine before the call returns, so it must be quick, and
	// safe for concurrent use. Nil: nobody is told.
	Observe func(ctx context.Context, c Call)
}

// maxAnswer bounds what is read of one answer; AWS's are a few kilobytes.
const maxAnswer = 1 << 20

// Client calls AWS. It is safe for concurrent use.
type Client struct {
	endpoint Endpoint
	http     *http.Client
}

// New makes a client. An unreadable CA bundle is a [creds.CodeConfig] error.
func New(e Endpoint) (*Client, error) {
	if e.Region == "" {
		e.Region = "us-east-1"
	}
	if e.Clock == nil {
		e.Clock = new(Clock)
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConnsPerHost = 64          // as many as calls in flight
	tr.IdleConnTimeout = 2 * time.Second // the next call is most often half an hour away
	tr.ResponseHeaderTimeout = callTimeout
	if e.CABundle != "" {
		pem, err := os.ReadFile(e.CABundle)
		if err != nil {
			return nil, &creds.Error{Code: creds.CodeConfig, Op: "read ca_bundle", Hint: "set ca_bundle to a readable PEM file", Err: err}
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, &creds.Error{Code: creds.CodeConfig, Op: e.CABundle + " holds no certificate", Hint: "set ca_bundle to a PEM file"}
		}
		tr.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	tr.Proxy = e.proxy()
	return &Client{endpoint: e, http: &http.Client{Transport: limited{tr}, CheckRedirect: noRedirect}}, nil
}

// noRedirect: neither STS nor IAM nor the federation endpoint redirects a call; a
// captive portal does, and a request with a signature or secrets must not follow.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// proxy gives the proxy rule: the configured one over the environment's.
func (e Endpoint) proxy() func(*http.Request) (*url.URL, error) {
	c := httpproxy.FromEnvironment()
	if e.HTTPSProxy != "" {
		c.HTTPSProxy = e.HTTPSProxy
	}
	if e.NoProxy != "" {
		c.NoProxy = e.NoProxy
	}
	f := c.ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return f(r.URL) }
}

func fips(on bool) aws.FIPSEndpointState {
	if on {
		return aws.FIPSEndpointStateEnabled
	}
	return aws.FIPSEndpointStateUnset
}

func dual(on bool) aws.DualStackEndpointState {
	if on {
		return aws.DualStackEndpointStateEnabled
	}
	return aws.DualStackEndpointStateUnset
}

// base gives the configured address of a service, nil for AWS's own.
func (e Endpoint) base(service string) *string {
	if service == "" {
		service = e.URL
	}
	if service == "" {
		return nil
	}
	return &service
}

func (f *flight) sts(key creds.Credentials) *sts.Client {
	e := f.client.endpoint
	o := sts.Options{
		Region: e.Region, HTTPClient: f.client.http, Retryer: aws.NopRetryer{}, Credentials: f.provider(key),
		BaseEndpoint: e.base(e.STS), APIOptions: []func(*middleware.Stack) error{e.Clock.attend},
	}
	o.EndpointOptions.UseFIPSEndpoint, o.EndpointOptions.UseDualStackEndpoint = fips(e.FIPS), dual(e.DualStack)
	return sts.New(o)
}

func (f *flight) iam(key creds.Credentials) *iam.Client {
	e := f.client.endpoint
	o := iam.Options{
		Region: e.Region, HTTPClient: f.client.http, Retryer: aws.NopRetryer{}, Credentials: f.provider(key),
		BaseEndpoint: e.base(e.IAM), APIOptions: []func(*middleware.Stack) error{e.Clock.attend},
	}
	o.EndpointOptions.UseFIPSEndpoint, o.EndpointOptions.UseDualStackEndpoint = fips(e.FIPS), dual(e.DualStack)
	return iam.New(o)
}

// provider signs with key; without one a call goes unsigned.
func (f *flight) provider(key creds.Credentials) aws.CredentialsProvider {
	if key.IsZero() {
		return aws.AnonymousCredentials{}
	}
	return credentials.NewStaticCredentialsProvider(key.AccessKeyID, f.reveal(key.SecretAccessKey), f.reveal(key.SessionToken))
}
