package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// cloud is what Terraform's backend and providers talk to: moto, behind a door that
// lets in whom AWS would. A key has to be one that a simulator granted, and what was
// signed after the key's end is refused in the service's own words.
type cloud struct {
	s3   *s3 // moto
	url  string
	sims []*awssim.Server

	mu      sync.Mutex
	refused []refusal
}

// refusal is a request that was not let in.
type refusal struct{ key, why string }

// signed finds the key and the service in a signature.
var signed = regexp.MustCompile(`Credential=([A-Z0-9]+)/\d+/[a-z0-9-]+/([a-z0-9]+)/`)

func startCloud(t *testing.T, ms ...*machine) *cloud {
	t.Helper()
	c := &cloud{s3: startS3(t, ms[0])}
	for _, m := range ms {
		c.sims = append(c.sims, m.sim)
	}
	moto, err := url.Parse(c.s3.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(moto); r.Out.Host = r.In.Host }}
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.refuses(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(door.Close)
	c.url = door.URL
	if status, body := c.look(t, http.MethodPut, ""); status != http.StatusOK {
		t.Fatalf("make a bucket: %d %s", status, body)
	}
	return c
}

// refuses answers in AWS's place where AWS would not carry out the request.
//
// The moment that counts is that of the signature: keys that live for seconds leave
// no room for the way, as the minute does by which mfad tells an end early.
func (c *cloud) refuses(w http.ResponseWriter, r *http.Request) bool {
	key, service := "", "s3"
	if found := signed.FindStringSubmatch(r.Header.Get("Authorization")); found != nil {
		key, service = found[1], found[2]
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	end, known := c.ends()[key]
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil || !known:
		c.refused = append(c.refused, refusal{key, fmt.Sprintf("nobody's key: %s %s", r.Method, r.URL.Path)})
		refuse(w, service, http.StatusForbidden, "InvalidAccessKeyId", "UnrecognizedClientException",
			"The AWS Access Key Id you provided does not exist in our records.")
	case !at.Before(end):
		c.refused = append(c.refused, refusal{key, fmt.Sprintf("ended at %v: %s %s at %v", end, r.Method, r.URL.Path, at)})
		refuse(w, service, http.StatusBadRequest, "ExpiredToken", "ExpiredTokenException",
			"The security token included in the request is expired")
	default:
		return false
	}
	return true
}

// refuse answers with the error of S3, or of a service that speaks JSON.
func refuse(w http.ResponseWriter, service string, status int, s3Code, jsonCode, message string) {
	if service == "s3" {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", s3Code, message)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"__type":%q,"message":%q}`, jsonCode, message)
}

// ends has the end of every role's key.
func (c *cloud) ends() map[string]time.Time {
	ends := map[string]time.Time{}
	for _, sim := range c.sims {
		for _, call := range sim.Calls("AssumeRole") {
			if call.IssuedAccessKeyID != "" {
				ends[call.IssuedAccessKeyID] = call.Expires
			}
		}
	}
	return ends
}

// lastEnd is when the last of the keys ends that a machine has got so far.
func (m *machine) lastEnd() (last time.Time) {
	for _, call := range m.sim.Calls("AssumeRole") {
		if call.Expires.After(last) {
			last = call.Expires
		}
	}
	return last
}

// refusals gives what was refused to a machine's keys, and to nobody's.
func (c *cloud) refusals(m *machine) (whys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := map[string]bool{}
	for _, call := range m.sim.Calls("AssumeRole") {
		own[call.IssuedAccessKeyID] = true
	}
	ends := c.ends()
	for _, r := range c.refused {
		if _, known := ends[r.key]; own[r.key] || !known {
			whys = append(whys, r.why)
		}
	}
	return whys
}

// signers are the keys that signed what was done with a workspace's state from a
// moment on.
func (c *cloud) signers(workspace string, from time.Time) map[string]bool {
	keys := map[string]bool{}
	for _, call := range c.s3.since(from) {
		if strings.Contains(call.path, "/"+workspace+"/") {
			keys[call.key] = true
		}
	}
	delete(keys, testKey)
	return keys
}

// locks counts who wanted a workspace's lock.
func (c *cloud) locks(workspace string) (n int) {
	for _, call := range c.s3.since(time.Time{}) {
		if call.method == http.MethodPut && strings.HasSuffix(call.path, "/"+workspace+"/shop/terraform.tfstate.tflock") {
			n++
		}
	}
	return n
}

// testKey is the test's own at moto.
const testKey = "AKIAEXAMPLE00000001"

// look asks moto itself for something in the bucket of states.
func (c *cloud) look(t *testing.T, method, key string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.s3.url+"/tfstate/"+key, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is verified there; the signature tells moto which service is meant.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+testKey+"/20260101/us-east-1/s3/aws4_request")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// state lists the resources in a workspace's state, and whether its lock is held.
func (c *cloud) state(t *testing.T, workspace string) (resources string, locked bool) {
	t.Helper()
	const key = "shop/terraform.tfstate"
	status, _ := c.look(t, http.MethodGet, "env:/"+workspace+"/"+key+".tflock")
	locked = status == http.StatusOK
	status, body := c.look(t, http.MethodGet, "env:/"+workspace+"/"+key)
	if status != http.StatusOK {
		return "", locked
	}
	return resourcesIn(t, body), locked
}

// resourcesIn lists what a state has, sorted; what has to be replaced has a star.
func resourcesIn(t *testing.T, state []byte) string {
	t.Helper()
	var s struct {
		Resources []struct {
			Name      string
			Instances []struct{ Status string }
		}
	}
	if err := json.Unmarshal(state, &s); err != nil {
		t.Fatalf("state: %v", err)
	}
	var names []string
	for _, r := range s.Resources {
		for _, i := range r.Instances {
			if i.Status == "tainted" {
				r.Name += "*"
			}
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
