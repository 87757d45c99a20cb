package awssim

import (
	"cmp"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// maxBody is more than the longest request that AWS takes, a SAML assertion of
// 100,000 characters escaped.
const maxBody = 1 << 20

// serviceSignin is what the log calls the federation endpoint.
const serviceSignin = "signin"

// request is one call on its way through the simulator.
type request struct {
	http      *http.Request
	body      []byte
	form      url.Values // one value for each name, unless problem is set
	service   string
	signature signature
	problem   *failure // why it can be no request of AWS's; nil if it may be

	// What is known once it is being carried out:
	now       time.Time
	operation operation
	arguments arguments
	who       caller
}

// ServeHTTP answers one request. Where a [Fault] cuts the connection it panics
// with [http.ErrAbortHandler], which every [http.Server] understands.
func (s *Sim) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
	if err != nil {
		http.Error(w, "the request could not be read", http.StatusBadRequest)
		return
	}
	if hr.URL.Path != "/" && hr.URL.Path != "/federation" {
		http.NotFound(w, hr)
		return
	}
	r := newRequest(hr, body)
	call, fault := s.begin(r)
	answer, abort := s.respond(hr, r, fault)
	s.end(call, answer, abort)
	if abort {
		panic(http.ErrAbortHandler)
	}
	answer.writeHead(w, s.Now())
	if fault.Kind == Cut {
		_, _ = w.Write(answer.body[:len(answer.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	// A client that went away needs no answer.
	_, _ = w.Write(answer.body)
}

// newRequest reads a Query request; what is wrong with it is kept in problem.
func newRequest(hr *http.Request, body []byte) *request {
	r := &request{http: hr, body: body, form: hr.URL.Query()}
	switch hr.Method {
	case http.MethodGet:
	case http.MethodPost:
		if t, _, _ := mime.ParseMediaType(hr.Header.Get("Content-Type")); t != "application/x-www-form-urlencoded" {
			r.problem = &failure{http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The body is no form"}
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			r.problem = badRequest("MalformedQueryString", "The query string contains a syntax error.")
		}
		for name, values := range form {
			r.form[name] = append(r.form[name], values...)
		}
	default:
		r.problem = &failure{http.StatusMethodNotAllowed, "MethodNotAllowed", "The method is neither GET nor POST"}
	}
	for name, values := range r.form {
		if len(values) > 1 {
			r.problem = validation("The parameter " + name + " was given more than once")
		}
	}
	if hr.URL.Path == "/federation" {
		r.service = serviceSignin
		return r
	}
	var f *failure
	if r.signature, f = parseSignature(hr); r.problem == nil {
		r.problem = f
	}
	r.service = serviceOf(r.signature.service, r.form.Get("Version"))
	return r
}

// serviceOf tells STS from IAM by the credential scope, else by the version.
func serviceOf(scope, version string) string {
	if scope == "iam" || scope != "sts" && version == versionIAM {
		return "iam"
	}
	return "sts"
}

// begin logs r and finds out what befalls it.
func (s *Sim) begin(r *request) (*Call, Fault) {
	s.lock()
	defer s.mu.Unlock()
	call := s.beginLocked(r)
	fault := s.takeFaultLocked(*call)
	call.Fault = fault.Kind
	return call, fault
}

// end logs the outcome.
func (s *Sim) end(c *Call, a response, abort bool) {
	s.lock()
	defer s.mu.Unlock()
	c.endLocked(a)
	if abort {
		c.Status = 0
	}
}

// respond carries r out, or does what the fault demands in its place. abort asks
// for the connection to be cut without an answer.
func (s *Sim) respond(hr *http.Request, r *request, fault Fault) (a response, abort bool) {
	switch fault.Kind {
	case Hang:
		pause(hr.Context(), fault.Wait)
		return response{code: fault.Kind.String()}, true
	case DropBefore:
		return response{code: fault.Kind.String()}, true
	case Delay:
		pause(hr.Context(), fault.Wait)
	}
	if a, instead := fault.answer(r.service); instead {
		return a, false
	}
	a = s.carryOut(r, fault.Kind == AccessDenied)
	if fault.Kind == HangAfter {
		pause(hr.Context(), fault.Wait)
	}
	return a, fault.Kind == DropAfter || fault.Kind == HangAfter
}

// carryOut does what AWS would; deny has it refused at the end all the same.
func (s *Sim) carryOut(r *request, deny bool) response {
	s.lock()
	defer s.mu.Unlock()
	r.now = s.nowLocked()
	if r.service == serviceSignin {
		return s.federateLocked(r, deny)
	}
	a, f := s.queryLocked(r, deny)
	if f != nil {
		return refusal(r.service, f)
	}
	return a
}

// queryLocked serves STS and IAM: form, signature, parameters, action, in the
// order in which AWS complains.
func (s *Sim) queryLocked(r *request, deny bool) (response, *failure) {
	if r.problem != nil {
		return response{}, r.problem
	}
	var f *failure
	if r.operation, f = findOperation(r.service, r.form.Get("Version"), r.form.Get("Action")); f != nil {
		return response{}, f
	}
	if !r.operation.unsigned {
		if r.who, f = s.authenticateLocked(r); f != nil {
			return response{}, f
		}
		if f = r.who.mayUse(r.service); f != nil {
			return response{}, f
		}
	}
	if r.arguments, f = parseArguments(r.form, r.operation.params); f != nil {
		return response{}, f
	}
	if deny {
		if _, f := s.checkMFALocked(r); f != nil {
			return response{}, f
		}
		return response{}, explicitlyDenied(r.who.arn, r.service+":"+r.operation.action, cmp.Or(r.arguments.text("RoleArn"), "*"))
	}
	return r.operation.run(s, r)
}

// mayUse refuses IAM to GetSessionToken sessions without MFA and to federated
// users, whose tokens IAM does not know ("IAM User Guide, Compare AWS STS
// credentials").
func (c caller) mayUse(service string) *failure {
	if service == "iam" && (c.is(federatedSession) || c.is(userSession) && c.session.mfaAt.IsZero()) {
		return invalidToken()
	}
	return nil
}
