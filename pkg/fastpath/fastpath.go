// Package fastpath answers `mfad credential-process` from a running daemon
// before the rest of the program is initialised. SDKs start that command again
// and again, and most of its time would go into packages that it does not need.
//
// Its init function runs early because it imports only os and syscall: Go
// initialises the packages that are ready in the order of their import paths.
// On any doubt (an unknown flag, no socket, an answer that is no credentials) it
// does nothing, and the ordinary command, which knows how to wait, to ask and to
// explain, runs instead. It never starts anything, and prints nothing but a
// complete answer.
package fastpath

import "os"

func init() {
	if len(os.Args) < 2 || os.Args[1] != "credential-process" {
		return
	}
	profile, ok := profileOf(os.Args[2:])
	if !ok {
		return
	}
	for _, socket := range sockets() {
		if answer, ok := ask(socket, profile); ok {
			print(answer)
		}
	}
}

// profileOf reads the command line in its simplest forms. A timeout and
// no-prompt make no difference to an answer that is there.
func profileOf(args []string) (profile string, ok bool) {
	for i := 0; i < len(args); i++ {
		value, inline := cutPrefix(args[i], "--profile=")
		switch {
		case inline:
			profile = value
		case args[i] == "--profile" && i+1 < len(args):
			i++
			profile = args[i]
		case args[i] == "--timeout" && i+1 < len(args):
			i++
		case args[i] == "--no-prompt":
		default:
			return "", false
		}
	}
	return profile, isName(profile)
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return s, false
	}
	return s[len(prefix):], true
}

// isName tells whether a name can stand in JSON as it is.
func isName(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// sockets are the places where a daemon may listen, as pkg/profile has them; the
// path that a daemon left in its state folder is for the ordinary command.
func sockets() []string {
	if s := os.Getenv("MFAD_SOCKET"); s != "" {
		return []string{s}
	}
	var paths []string
	runtime := "/run/user/" + itoa(os.Getuid())
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		paths = append(paths, dir+"/mfad/mfad.sock")
		if dir == runtime {
			return paths
		}
	}
	return append(paths, runtime+"/mfad/mfad.sock")
}

func itoa(n int) string {
	if n < 0 {
		return ""
	}
	digits := []byte{byte('0' + n%10)}
	for n /= 10; n > 0; n /= 10 {
		digits = append([]byte{byte('0' + n%10)}, digits...)
	}
	return string(digits)
}

// request is the whole of what is sent for a profile.
func request(profile string) string {
	body := `{"profile":"` + profile + `","cached":true}`
	return "POST /v1/credentials HTTP/1.1\r\nHost: mfad\r\nConnection: close\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n" + body
}

// bodyOf gives the body of a complete answer with status 200.
func bodyOf(answer []byte) (body []byte, ok bool) {
	const success = "HTTP/1.1 200 "
	if len(answer) < len(success) || string(answer[:len(success)]) != success {
		return nil, false
	}
	for i := 0; i+4 <= len(answer); i++ {
		if string(answer[i:i+4]) == "\r\n\r\n" {
			body = answer[i+4:]
			// The daemon ends its one line of JSON so: anything else was cut.
			return body, len(body) > 2 && body[0] == '{' && string(body[len(body)-2:]) == "}\n"
		}
	}
	return nil, false
}
