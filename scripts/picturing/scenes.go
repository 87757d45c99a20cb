package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/awssim"
)

// wide is a terminal in which no line of mfad's is broken; ordinary is what people
// have.
const (
	wide     = 120
	ordinary = 80
)

// setup goes from AWS's own files to fresh profiles.
func setup(s *stage) error {
	t := s.newTerminal(wide)
	t.types("mfad setup")
	t.answers("a name for this user in mfad [alice]:", "corp")
	t.answers("once the keyring has given it back? [y/N]", "y")
	t.answers("with commas between [all]:", "")
	t.shows(`session, direct, or each \[session\]: *$`)
	t.take("setup.svg", "mfad setup asks its questions", "")
	t.press("Enter")
	t.shows(`make these changes\? \[Y/n\] *$`)
	t.take("setup-diff.svg", "mfad setup shows what it will change, and asks", "--- /dev/null")
	t.press("Enter")
	t.answersWithCode()
	t.shows(`\n` + prompt + `$`)
	t.take("setup-done.svg", "mfad setup spends one code, and every profile is fresh", "put the key")
	return t.err
}

// status is that of a morning on which not all is well.
func status(s *stage) error {
	f, err := os.OpenFile(filepath.Join(s.home, ".aws", "credentials"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n[billing]\naws_access_key_id = AKIAEXAMPLE000000001\naws_secret_access_key = not-a-real-key\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.sim.AddRole(awssim.Role{Account: prod, Name: "Billing", Principals: []string{s.alice.ARN}, RequireMFA: true})
	if _, err := s.do("mfad", "profile", "add", "billing", "--identity", "corp", "--role-arn", "arn:aws:iam::"+prod+":role/Billing"); err != nil {
		return err
	}
	if err := s.at(morning.Add(20 * time.Minute)); err != nil {
		return err
	}
	t := s.newTerminal(ordinary)
	t.runs("mfad status")
	t.take("status.svg", "mfad status", "")
	return t.err
}

// doctor finds what is wrong.
func doctor(s *stage) error {
	if _, err := s.do("mfad", "profile", "remove", "billing"); err != nil {
		return err
	}
	t := s.newTerminal(wide)
	t.types("export AWS_ACCESS_KEY_ID=AKIAEXAMPLE000000001 AWS_SECRET_ACCESS_KEY=not-a-real-key; clear")
	t.shows(`^` + prompt + `$`)
	t.runs("mfad doctor")
	t.take("doctor.svg", "mfad doctor says what is wrong, and what to do", "")
	return t.err
}

// login asks in the terminal, days later; the shell's prompt tells that it is time.
func login(s *stage) error {
	if err := s.at(morning.Add(7 * 24 * time.Hour)); err != nil {
		return err
	}
	if err := s.until("the session has ended", func() bool {
		word, _ := s.do("mfad", "status", "--short")
		return word == "mfa\n"
	}); err != nil {
		return err
	}
	t := s.newTerminal(wide)
	t.clear()
	t.types("mfad login")
	t.answersWithCode()
	t.shows(`\n` + prompt + `$`)
	t.take("login.svg", "a shell's prompt wants a code, mfad login asks for it", "")
	return t.err
}

// many shows what is left of a long table.
func many(s *stage) error {
	var config strings.Builder
	config.WriteString("[identity corp]\nmfa_serial = " + s.device.Serial + "\n")
	for _, stage := range []string{"prod", "stage", "test", "dev"} {
		for n, role := range []string{"Admin", "Audit", "Backup", "Billing", "Build", "Data", "Deploy", "DNS", "Logs", "Network", "ReadOnly", "Support"} {
			if stage != "test" || n != 4 {
				s.sim.AddRole(awssim.Role{Account: dev, Name: stage + role, Principals: []string{s.alice.ARN}, RequireMFA: true})
			}
			fmt.Fprintf(&config, "[profile %s-%s]\nidentity = corp\nrole_arn = arn:aws:iam::%s:role/%s%s\n", stage, strings.ToLower(role), dev, stage, role)
		}
	}
	if err := s.write(".config/mfad/config.ini", config.String()); err != nil {
		return err
	}
	if err := s.until("all is fetched", func() bool {
		out, _ := s.do("mfad", "status")
		return strings.Contains(out, "47 ") && strings.Contains(out, "test-build")
	}); err != nil {
		return err
	}
	t := s.newTerminal(ordinary)
	t.runs("mfad status")
	t.take("status-many.svg", "mfad status counts the fresh ones of 48 profiles", "")
	return t.err
}
