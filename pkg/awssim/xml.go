package awssim

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"time"
)

// node is an XML element with text or with children.
type node struct {
	name, text string
	children   []node
}

func leaf(name, text string) node               { return node{name: name, text: text} }
func branch(name string, children ...node) node { return node{name: name, children: children} }

// write adds the element, indented. Text stands without blanks around it: the Go
// SDK would take them for a part of a token.
func (n node) write(b *bytes.Buffer, indent, attributes string) {
	b.WriteString(indent + "<" + n.name + attributes + ">")
	if n.children == nil {
		// Writing to a bytes.Buffer cannot fail.
		_ = xml.EscapeText(b, []byte(n.text))
	} else {
		b.WriteByte('\n')
		for _, c := range n.children {
			c.write(b, indent+"  ", "")
		}
		b.WriteString(indent)
	}
	b.WriteString("</" + n.name + ">\n")
}

// response is an answer on its way out, and what the call log keeps of it.
type response struct {
	status      int
	contentType string
	requestID   string
	header      http.Header // more headers; may be nil
	body        []byte
	code        string // AWS's error code; "" for success
	issued      *session
}

// namespace of the documents of a service.
func namespace(service string) string {
	if service == "iam" {
		return "https://iam.amazonaws.com/doc/" + versionIAM + "/"
	}
	return "https://sts.amazonaws.com/doc/" + versionSTS + "/"
}

// success is the answer of an action: its result, if it has one, and metadata.
func success(service, action string, result []node) response {
	id := newRequestID()
	children := make([]node, 0, 2)
	if result != nil {
		children = append(children, branch(action+"Result", result...))
	}
	children = append(children, branch("ResponseMetadata", leaf("RequestId", id)))
	return document(http.StatusOK, id, branch(action+"Response", children...), service)
}

// refusal is the answer to a failed call.
func refusal(service string, f *failure) response {
	id, blame := newRequestID(), "Sender"
	if f.status >= http.StatusInternalServerError {
		blame = "Receiver"
	}
	r := document(f.status, id, branch("ErrorResponse",
		branch("Error", leaf("Type", blame), leaf("Code", f.code), leaf("Message", f.message)),
		leaf("RequestId", id)), service)
	r.code = f.code
	return r
}

func document(status int, id string, root node, service string) response {
	var b bytes.Buffer
	root.write(&b, "", ` xmlns="`+namespace(service)+`"`)
	return response{status: status, contentType: "text/xml", requestID: id, body: b.Bytes()}
}

// writeHead sends everything before the body.
func (r response) writeHead(w http.ResponseWriter, now time.Time) {
	h := w.Header()
	for name, values := range r.header {
		h[name] = values
	}
	h.Set("Content-Type", r.contentType)
	h.Set("Content-Length", itoa(len(r.body)))
	h.Set("Date", now.Format(http.TimeFormat))
	if r.requestID != "" {
		h.Set("X-Amzn-Requestid", r.requestID)
	}
	w.WriteHeader(r.status)
}
