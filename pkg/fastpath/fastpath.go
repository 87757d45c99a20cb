// Package fastpath answers `mfad credential-process` and `mfad status --short` from
// a running daemon before the rest of the program is initialised. SDKs start the
// one again and again, shells the other before each prompt, and most of the time
// would go into packages that neither needs.
//
// Its init function runs early because it imports only os and syscall: Go
// initialises the packages that are ready in the order of their import paths.
// On any doubt (an unknown flag, no socket, an answer that is no credentials) it
// does nothing, and the ordinary command, which knows how to wait, to ask and to
// explain, runs instead. It starts nothing but a service whose socket the system
// holds open, by asking there for credentials, and prints nothing but a complete
// answer.
package fastpath

import "os"

func init() {
	if len(os.Args) < 2 {
		return
	}
	switch os.Args[1] {
	case "credential-process":
		if profile, ok := profileOf(os.Args[2:]); ok {
			printCredentials(profile)
		}
	case "status":
		if name, ok := shortOf(os.Args[2:]); ok {
			printShort(name)
		}
	}
}

// printCredentials ends the program if a daemon has the profile's credentials.
func printCredentials(profile string) {
	mayStart := os.Getenv("MFAD_AUTOSTART") != "0"
	for _, socket := range sockets() {
		if !mayStart && unheld(socket) {
			continue
		}
		if answer, _ := ask(socket, credentialsRequest(profile), credentialsPatience); answer != nil {
			if body, ok := credentialsOf(answer); ok {
				print(body)
			}
		}
	}
}

// printShort ends the program in any case: a prompt is not to wait for an
// explanation, nor to start a daemon.
func printShort(name string) {
	for _, socket := range sockets() {
		if unheld(socket) {
			continue
		}
		answer, reached := ask(socket, shortRequest(name), shortPatience)
		if reached {
			print(wordOf(answer))
		}
	}
	print(nil)
}

// How long each step with the daemon may take, in milliseconds: it answers from
// memory.
const (
	credentialsPatience = 2000
	shortPatience       = 50
)

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

// shortOf reads the command line of a status in one word, of one name at most.
func shortOf(args []string) (name string, ok bool) {
	named := false
	for _, arg := range args {
		switch {
		case arg == "--short":
			ok = true
		case named || arg != "" && !isName(arg) || arg != "" && arg[0] == '-':
			return "", false
		default:
			name, named = arg, true
		}
	}
	return name, ok
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

// sockets are the places where a daemon may listen, as pkg/profile has them.
func sockets() []string {
	if s := os.Getenv("MFAD_SOCKET"); s != "" {
		return []string{s}
	}
	var paths []string
	add := func(path string) {
		for _, p := range paths {
			if p == path {
				return
			}
		}
		paths = append(paths, path)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && dir[0] == '/' {
		add(dir + "/mfad/mfad.sock")
	}
	add("/run/user/" + itoa(os.Getuid()) + "/mfad/mfad.sock")
	if dir := stateDir(); dir != "" {
		add(dir + "/mfad.sock")
		if left := firstLine(dir + "/socket"); left != "" {
			add(left)
		}
	}
	return paths
}

// stateDir is the state folder, "" where it cannot be told.
func stateDir() string {
	if dir := os.Getenv("MFAD_STATE_DIR"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" && dir[0] == '/' {
		return dir + "/mfad"
	}
	if dir := os.Getenv("HOME"); dir != "" {
		return dir + "/.local/state/mfad"
	}
	return ""
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

// credentialsRequest is the whole of what is sent for a profile.
func credentialsRequest(profile string) string {
	body := `{"profile":"` + profile + `","cached":true}`
	return "POST /v1/credentials HTTP/1.1\r\nHost: mfad\r\nConnection: close\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n" + body
}

// shortRequest is the whole of what is sent for a word on name; "": on everything.
func shortRequest(name string) string {
	const hex = "0123456789ABCDEF"
	query := []byte(nil)
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' {
			query = append(query, c)
		} else {
			query = append(query, '%', hex[c>>4], hex[c&15])
		}
	}
	return "GET /v1/short?name=" + string(query) + " HTTP/1.1\r\nHost: mfad\r\nConnection: close\r\n\r\n"
}

// bodyOf gives the body of an answer with status 200.
func bodyOf(answer []byte) (body []byte, ok bool) {
	const success = "HTTP/1.1 200 "
	if len(answer) < len(success) || string(answer[:len(success)]) != success {
		return nil, false
	}
	for i := 0; i+4 <= len(answer); i++ {
		if string(answer[i:i+4]) == "\r\n\r\n" {
			return answer[i+4:], true
		}
	}
	return nil, false
}

// credentialsOf gives the credentials of a complete answer: the daemon ends its one
// line of JSON so, and anything else was cut.
func credentialsOf(answer []byte) (line []byte, ok bool) {
	body, ok := bodyOf(answer)
	return body, ok && len(body) > 2 && body[0] == '{' && string(body[len(body)-2:]) == "}\n"
}

// wordOf gives the one word of a complete answer with its line's end, or nothing.
func wordOf(answer []byte) []byte {
	body, _ := bodyOf(answer)
	for i, c := range body {
		if c == '\n' && i > 0 && i == len(body)-1 {
			return body
		}
		if c < 'a' || c > 'z' {
			return nil
		}
	}
	return nil
}
