package service

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary a service that tells what it was handed.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_SERVICE") == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("LISTEN_PID") == "self" {
		_ = os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	if os.Getenv("WATCHDOG_PID") == "self" {
		_ = os.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	}
	h, err := Receive()
	socket := "none"
	if h.Listener != nil {
		socket = h.Listener.Addr().String()
		_ = h.Listener.Close()
	}
	left := 0
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); IsHanded(name) {
			left++
		}
	}
	h.Notifier.Tell("RELOADING=1", "STATUS=here")
	fmt.Printf("supervised %v, socket %s, watchdog %v, %d variables left, %v", h.Supervised, socket, h.Notifier.Watchdog(), left, err)
	os.Exit(0)
}

// TestReceive in a process of its own, from descriptors and variables as systemd has
// them (sd_listen_fds(3), sd_notify(3)).
func TestReceive(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	foreign, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	for _, tt := range []struct {
		name, env string
		files     []*os.File
		want      string
	}{
		{"nothing", "", nil, "supervised false, socket none, watchdog 0s, 0 variables left, <nil>"},
		{"a socket", "LISTEN_FDS=1 LISTEN_PID=self LISTEN_FDNAMES=mfad.socket", []*os.File{file},
			"supervised false, socket " + socket + ", watchdog 0s, 0 variables left, <nil>"},
		{"a socket after one of another kind", "LISTEN_FDS=2 LISTEN_PID=self", []*os.File{foreign, file},
			"supervised false, socket " + socket + ", watchdog 0s, 0 variables left, <nil>"},
		{"what was for another process", "LISTEN_FDS=1 LISTEN_PID=1 WATCHDOG_USEC=5000000 WATCHDOG_PID=1 NOTIFY_SOCKET=/nowhere", []*os.File{file},
			"supervised true, socket none, watchdog 0s, 0 variables left, <nil>"},
		{"a watchdog", "NOTIFY_SOCKET=/nowhere WATCHDOG_USEC=5000000 WATCHDOG_PID=self", nil,
			"supervised true, socket none, watchdog 5s, 0 variables left, <nil>"},
		{"a parent's", "NOTIFY_SOCKET=/nowhere WATCHDOG_USEC=5000000 SYSTEMD_EXEC_PID=1", nil,
			"supervised false, socket none, watchdog 0s, 0 variables left, <nil>"},
		{"launchd", "XPC_SERVICE_NAME=mfad", nil, "supervised true, socket none, watchdog 0s, 0 variables left, <nil>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(strings.Fields(tt.env), "TEST_AS_SERVICE=1")
			cmd.ExtraFiles = tt.files
			out, err := cmd.Output()
			if err != nil || string(out) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", out, err, tt.want)
			}
		})
	}
}

// TestTell at a socket with a path, and at an abstract one.
func TestTell(t *testing.T) {
	for name, address := range map[string]string{"path": filepath.Join(t.TempDir(), "n"), "abstract": "@mfad-test-" + strconv.Itoa(os.Getpid())} {
		t.Run(name, func(t *testing.T) {
			manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Close()
			n := &Notifier{socket: address}
			n.Tell("READY=1", "STATUS=well")
			n.Tell("RELOADING=1")
			for _, want := range []string{"READY=1\nSTATUS=well", "RELOADING=1\nMONOTONIC_USEC="} {
				b := make([]byte, 200)
				if err := manager.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
					t.Fatal(err)
				}
				got, _, err := manager.ReadFromUnix(b)
				if err != nil || !strings.HasPrefix(string(b[:got]), want) {
					t.Errorf("it was told %q, %v; want %q", b[:got], err, want)
				}
			}
		})
	}
	(*Notifier)(nil).Tell("READY=1") // nobody wants to know
	(&Notifier{socket: "/nowhere"}).Tell("READY=1")
}
