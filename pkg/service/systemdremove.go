package service

import (
	"context"
	"os"
	"path/filepath"

	"github.com/mfad/mfad/pkg/creds"
)

// Uninstall stops the service and takes away all that Install made, and what is left
// where some of it is gone already. Drop-ins and units that somebody else wrote or
// changed stay, and are told. [creds.CodeConflict] is a service that is masked.
func (s *Systemd) Uninstall(ctx context.Context) error {
	if err := s.masked(creds.CodeConflict); err != nil {
		return err
	}
	if !s.anything() {
		s.tell("no service is installed")
		return s.removeDropIns()
	}
	if err := s.Ready(ctx); err != nil {
		return err
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	removed, err := s.removeUnits()
	if err != nil {
		return err
	}
	if err := s.removeDropIns(); err != nil {
		return err
	}
	if run := s.Getenv("XDG_RUNTIME_DIR"); run != "" {
		if err := s.drop(SocketLock(filepath.Join(run, "mfad", "mfad.sock"))); err != nil { // nobody holds it any more
			return err
		}
	}
	if err := s.command(ctx, "systemctl", systemctl("daemon-reload")...); err != nil {
		return err
	}
	if path, _ := s.unit(); path != "" && !(s.DryRun && removed) {
		s.tell("%s stays; to keep it from being started: systemctl --user mask %s %s", path, socketUnit, serviceUnit)
	}
	return nil
}

// anything tells whether there is something to uninstall, besides drop-ins.
func (s *Systemd) anything() bool {
	for _, name := range units() {
		if path, _ := find(s.dirs, name); path != "" {
			return true
		}
	}
	return Enabled(s.dirs[:1])
}

// end stops the units and has nothing start them again. systemctl disables none whose
// file is gone, and would leave the other alone too.
func (s *Systemd) end(ctx context.Context) error {
	var there []string
	for _, name := range units() {
		if path, _ := find(s.dirs, name); path != "" {
			there = append(there, name)
			continue
		}
		out, err := s.ask(ctx, "systemctl", systemctl("show", name, "--property=ActiveState")...)
		if err != nil {
			return err
		}
		if state := properties(out)["ActiveState"]; state != "" && state != "inactive" && state != "failed" {
			if err := s.command(ctx, "systemctl", systemctl("stop", name)...); err != nil {
				return err
			}
		}
		links, _ := filepath.Glob(filepath.Join(s.dirs[0], "*.wants", name))
		for _, link := range links {
			if err := s.drop(link); err != nil {
				return err
			}
		}
	}
	if len(there) == 0 {
		return nil
	}
	return s.command(ctx, "systemctl", systemctl(append([]string{"disable", "--now"}, there...)...)...)
}

// drop removes a file without a look at what is in it.
func (s *Systemd) drop(path string) error {
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	s.tell("remove %s", path)
	if s.DryRun {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return failed("remove "+path, err)
	}
	return nil
}

// removeUnits takes away this user's own.
func (s *Systemd) removeUnits() (removed bool, err error) {
	for _, name := range []string{serviceUnit, socketUnit} {
		gone, err := s.remove(s.own(name))
		if err != nil {
			return removed, err
		}
		removed = removed || gone
	}
	return removed, nil
}

func (s *Systemd) removeDropIns() error {
	for _, name := range []string{pathDropIn, strictDropIn} {
		if _, err := s.remove(s.own(filepath.Join(dropInFolder, name))); err != nil {
			return err
		}
	}
	return nil
}
