// Package awsmfa is the command aws-mfa (https://github.com/broamski/aws-mfa) as
// its users' scripts know it: its arguments, its environment, the sections of the
// shared credentials file that it works with, whether what stands there still
// serves, and the words for all of it. It decides and words, and does nothing: it
// opens no file, calls no AWS and asks nobody. Where it differs from aws-mfa on
// purpose, docs/aws-mfa.md says so.
package awsmfa

import (
	"fmt"
	"io"
	"time"
)

// Keys that aws-mfa looks for or leaves in the shared credentials file.
const (
	keyID          = "aws_access_key_id"
	keySecret      = "aws_secret_access_key"
	keyToken       = "aws_session_token"
	keyOldToken    = "aws_security_token"
	keyDevice      = "aws_mfa_device"
	keyWantedRole  = "assume_role"
	keyAssumed     = "assumed_role"
	keyAssumedRole = "assumed_role_arn"
	keyExpiration  = "expiration"

	keyExpires = "x_security_token_expires" // mfad's
)

// File is a credentials file as Python's RawConfigParser gives it to aws-mfa: the
// keys, in lower case, of each section. The keys of [DEFAULT] count in every
// section that is there (Python documentation, configparser).
type File map[string]map[string]string

// Has tells whether there is such a section; [DEFAULT] is none.
func (f File) Has(section string) bool {
	_, ok := f[section]
	return ok && section != inherited
}

// Get gives the value of a key in a section that is there.
func (f File) Get(section, key string) (value string, ok bool) {
	if keys, there := f[section]; there {
		if value, ok = keys[key]; !ok {
			value, ok = f[inherited][key]
		}
	}
	return value, ok
}

const inherited = "DEFAULT"

// Log writes aws-mfa's messages, a line each: the level, a dash, the text.
type Log struct {
	W     io.Writer
	Level string // of [Options]; empty: DEBUG
}

// Debug writes what only a full log shows.
func (l *Log) Debug(format string, args ...any) { l.write("DEBUG", format, args...) }

// Info writes what goes on.
func (l *Log) Info(format string, args ...any) { l.write("INFO", format, args...) }

// Warning writes what the user may want to know.
func (l *Log) Warning(format string, args ...any) { l.write("WARNING", format, args...) }

// Error writes why the command ends with status 1.
func (l *Log) Error(format string, args ...any) { l.write("ERROR", format, args...) }

func (l *Log) write(level, format string, args ...any) {
	if severity(level) >= severity(l.Level) {
		_, _ = fmt.Fprintf(l.W, level+" - "+format+"\n", args...) // a log that cannot be written has nowhere to say so
	}
}

// severity orders the levels as Python's logging does. NOTSET leaves it to the
// root logger, which shows warnings.
func severity(level string) int {
	switch level {
	case "CRITICAL":
		return 50
	case "ERROR":
		return 40
	case "WARNING", "NOTSET":
		return 30
	case "INFO":
		return 20
	}
	return 10
}

// expirationLayout is the form of the key `expiration`, in UTC; one digit will do
// where it is read.
const expirationLayout = "2006-1-2 15:4:5"

// parseExpiration reads the key `expiration`, and what other tools write there:
// RFC 3339, or the same without a zone.
func parseExpiration(text string) (time.Time, bool) {
	for _, layout := range []string{expirationLayout, time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
