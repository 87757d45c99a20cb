package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// notificationDaemon shows buttons on its notifications, as most desktops do.
const notificationDaemon = "/usr/lib/notification-daemon/notification-daemon"

// desktopColour is the colour of the desktop behind the windows.
const desktopColour = "#4b6075"

// screenWidth is the display's, in pixels.
const screenWidth = 1000

// desktop waits for the last half hour of the session, in which a notification comes,
// presses its button, and types the code into the window.
func desktop(s *stage) error {
	if err := s.openDesktop(); err != nil {
		return err
	}
	if _, err := s.do("mfad", "export", "prod"); err != nil { // tells the daemon of the desktop
		return err
	}
	if err := s.at(morning.Add(35*time.Hour + 35*time.Minute)); err != nil {
		return err
	}
	notification, err := s.window("--class", "notification-daemon")
	if err != nil {
		return err
	}
	if err := s.shoot("notification.png", notification); err != nil {
		return err
	}
	// The button is at the lower edge, on the right.
	if _, err := s.do("xdotool", "mousemove", "--window", notification, "300", "121", "click", "1"); err != nil {
		return err
	}
	window, err := s.window("--name", "mfad: MFA code for corp")
	if err != nil {
		return err
	}
	code, err := s.code()
	if err != nil {
		return err
	}
	if _, err := s.do("xdotool", "windowfocus", "--sync", window, "type", "--delay", "20", code); err != nil {
		return err
	}
	if err := s.shoot("dialog.png", window); err != nil {
		return err
	}
	_, err = s.do("xdotool", "key", "Return")
	return errors.Join(err, s.until("the code has started a session", func() bool {
		out, _ := s.do("mfad", "status", "corp")
		return strings.Contains(out, "35h59m") || strings.Contains(out, "36h00m")
	}))
}

// openDesktop starts a display, a window manager, a session bus and a service for
// notifications, and makes them alice's.
func (s *stage) openDesktop() error {
	number, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer number.Close()
	x := s.command("Xvfb", "-displayfd", "3", "-noreset", "-screen", "0", fmt.Sprintf("%dx700x24", screenWidth), "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{tell}
	err = s.begin(x)
	tell.Close()
	if err != nil {
		return err
	}
	display, err := bufio.NewReader(number).ReadString('\n')
	if err != nil {
		return fmt.Errorf("no display from Xvfb: %w", err)
	}
	s.env = append(s.env, "DISPLAY=:"+strings.TrimSpace(display))
	bus := s.command("dbus-daemon", "--session", "--nofork", "--address=unix:path="+filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus"))
	if err := s.begin(bus); err != nil {
		return err
	}
	s.env = append(s.env, "DBUS_SESSION_BUS_ADDRESS=unix:path="+filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus"))
	for _, cmd := range []*exec.Cmd{s.command("xsetroot", "-solid", desktopColour), s.command("openbox", "--sm-disable"), s.command(notificationDaemon)} {
		if err := s.begin(cmd); err != nil {
			return err
		}
	}
	return s.until("the service for notifications is on the bus", func() bool {
		out, err := s.do("dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.Notifications")
		return err == nil && strings.Contains(out, "true")
	})
}

// window waits for a window and gives its number.
func (s *stage) window(by ...string) (id string, err error) {
	err = s.until("a window opens", func() bool {
		out, _ := s.do("xdotool", append([]string{"search", "--onlyvisible"}, by...)...)
		id = strings.TrimSpace(out)
		return id != "" && !strings.Contains(id, "\n")
	})
	return id, err
}

// frame gives a window's place, with what the window manager has put around it.
func (s *stage) frame(window string) (x, y, width, height int, err error) {
	out, err := s.do("xwininfo", "-id", window)
	if err != nil {
		return 0, 0, 0, 0, err
	}
	for what, to := range map[string]*int{"Absolute upper-left X:": &x, "Absolute upper-left Y:": &y, "Width:": &width, "Height:": &height} {
		_, rest, _ := strings.Cut(out, what)
		if _, err := fmt.Sscan(rest, to); err != nil {
			return 0, 0, 0, 0, fmt.Errorf("xwininfo: %s %w", what, err)
		}
	}
	out, err = s.do("xprop", "-notype", "-id", window, "_NET_FRAME_EXTENTS")
	var left, right, top, bottom int
	// A window without a frame has no such property.
	_, _ = fmt.Sscanf(out, "_NET_FRAME_EXTENTS = %d, %d, %d, %d", &left, &right, &top, &bottom)
	return x - left, y - top, width + left + right, height + top + bottom, err
}

// around is how much of the desktop is seen around a window, in pixels; at the
// screen's edge there is less of it.
const around = 20

// shoot takes a picture of a window on its desktop, once it has been drawn.
func (s *stage) shoot(name, window string) error {
	x, y, width, height, err := s.frame(window)
	if err != nil {
		return err
	}
	around := min(around, x, y, screenWidth-x-width)
	place := fmt.Sprintf("%dx%d+%d+%d", width+2*around, height+2*around, x-around, y-around)
	path, before := filepath.Join(s.out, name), ""
	return s.until("the window is drawn", func() bool {
		time.Sleep(300 * time.Millisecond) // longer than a cursor or a shade needs to change
		if _, err := s.do("import", "-window", "root", "-crop", place, "+repage", "-strip", "-colors", "128", "-depth", "8", path); err != nil {
			return false
		}
		now, err := os.ReadFile(path)
		same := err == nil && string(now) == before
		before = string(now)
		return same
	})
}
