package service

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/xml"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf16"
)

// WindowsTask is a task of Windows' Task Scheduler that runs program as the daemon
// while user is logged in, in the XML that `schtasks /Create /XML` reads, which is
// UTF-16 (https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema).
func WindowsTask(program, user string) []byte {
	t := task{Version: "1.2", Namespace: "http://schemas.microsoft.com/windows/2004/02/mit/task"}
	t.Description = "MFA credential refresh for AWS"
	t.Logon.Enabled, t.Logon.UserID = true, user
	t.Principal.ID, t.Principal.UserID, t.Principal.LogonType, t.Principal.RunLevel = "Author", user, "InteractiveToken", "LeastPrivilege"
	s := &t.Settings
	s.MultipleInstances, s.ExecutionTimeLimit, s.Enabled, s.Hidden = "IgnoreNew", "PT0S", true, true
	s.AllowStartOnDemand, s.StartWhenAvailable = true, true
	s.RestartInterval, s.RestartCount = "PT1M", 999 // a minute is the least
	t.Actions.Context, t.Actions.Command, t.Actions.Arguments = "Author", program, "daemon --"+Flag
	text, err := xml.MarshalIndent(t, "", "  ")
	if err != nil {
		panic("service: a task of plain values cannot be written: " + err.Error())
	}
	return wide(`<?xml version="1.0" encoding="UTF-16"?>` + "\n" + string(text) + "\n")
}

// task is what mfad sets of a task; false is said where true is the default. The
// order is the schema's.
type task struct {
	XMLName     xml.Name `xml:"Task"`
	Version     string   `xml:"version,attr"`
	Namespace   string   `xml:"xmlns,attr"`
	Description string   `xml:"RegistrationInfo>Description"`
	Logon       struct {
		Enabled bool
		UserID  string `xml:"UserId"`
	} `xml:"Triggers>LogonTrigger"`
	Principal struct {
		ID        string `xml:"id,attr"`
		UserID    string `xml:"UserId"`
		LogonType string
		RunLevel  string
	} `xml:"Principals>Principal"`
	Settings struct {
		MultipleInstances  string `xml:"MultipleInstancesPolicy"`
		NotOnBatteries     bool   `xml:"DisallowStartIfOnBatteries"`
		StopOnBatteries    bool   `xml:"StopIfGoingOnBatteries"`
		AllowStartOnDemand bool
		StartWhenAvailable bool
		Enabled            bool
		Hidden             bool
		ExecutionTimeLimit string
		RestartInterval    string `xml:"RestartOnFailure>Interval"`
		RestartCount       int    `xml:"RestartOnFailure>Count"`
	}
	Actions struct {
		Context   string `xml:"Context,attr"`
		Command   string `xml:"Exec>Command"`
		Arguments string `xml:"Exec>Arguments"`
	}
}

// wide is a text in UTF-16 with a mark of its byte order.
func wide(text string) []byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, append([]uint16{0xFEFF}, utf16.Encode([]rune(text))...)) // a buffer takes everything
	return b.Bytes()
}

// TaskScheduler is Windows' Task Scheduler. Make one with [NewTaskScheduler].
type TaskScheduler struct{ steps }

// NewTaskScheduler gives the task of o.User.
func NewTaskScheduler(o Options) *TaskScheduler { return &TaskScheduler{steps{o}} }

// Ready is nil: the Task Scheduler is there wherever Windows is.
func (w *TaskScheduler) Ready(context.Context) error { return nil }

// Install registers the task, in place of one of its name, and starts it.
func (w *TaskScheduler) Install(ctx context.Context) error {
	text := WindowsTask(w.Program, w.User)
	file := filepath.Join(os.TempDir(), Name+"-task.xml")
	if w.DryRun {
		w.tell("write %s", file)
		w.show(file, nil, narrow(text))
	} else {
		f, err := os.CreateTemp("", Name+"-task-*.xml")
		if err != nil {
			return failed("write "+file, err)
		}
		file = f.Name()
		defer os.Remove(file) // the Task Scheduler keeps its own
		w.tell("write %s", file)
		_, err = f.Write(text)
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return failed("write "+file, err)
		}
	}
	if w.registered(ctx) { // the last one's daemon may run
		if err := w.command(ctx, "schtasks", "/End", "/TN", Name); err != nil {
			return err
		}
	}
	if err := w.command(ctx, "schtasks", "/Create", "/TN", Name, "/XML", file, "/F"); err != nil {
		return err
	}
	if err := w.yield(ctx); err != nil {
		return err
	}
	return w.Start(ctx)
}

// narrow is a text that wide made, for people.
func narrow(text []byte) []byte {
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(text[2*i:])
	}
	return []byte(strings.TrimPrefix(string(utf16.Decode(units)), "\uFEFF"))
}

// Uninstall stops the task and removes it.
func (w *TaskScheduler) Uninstall(ctx context.Context) error {
	if !w.registered(ctx) {
		w.tell("no task of mfad's is registered")
		return nil
	}
	if err := w.command(ctx, "schtasks", "/End", "/TN", Name); err != nil {
		return err
	}
	return w.command(ctx, "schtasks", "/Delete", "/TN", Name, "/F")
}

func (w *TaskScheduler) registered(ctx context.Context) bool {
	_, err := w.ask(ctx, "schtasks", "/Query", "/TN", Name)
	return err == nil
}

// Start starts the task.
func (w *TaskScheduler) Start(ctx context.Context) error { return w.act(ctx, "/Run") }

// Stop ends the daemon; it starts again at the next login, or by the next command
// that needs it.
func (w *TaskScheduler) Stop(ctx context.Context) error { return w.act(ctx, "/End") }

// Restart ends the daemon and starts it again.
func (w *TaskScheduler) Restart(ctx context.Context) error {
	if err := w.Stop(ctx); err != nil {
		return err
	}
	return w.Start(ctx)
}

func (w *TaskScheduler) act(ctx context.Context, verb string) error {
	if !w.DryRun && !w.registered(ctx) {
		return notInstalled()
	}
	return w.command(ctx, "schtasks", verb, "/TN", Name)
}

// Status tells whether the task is registered. Whether it runs is told by words of
// the system's language, and so not known.
func (w *TaskScheduler) Status(ctx context.Context) (State, error) {
	lingers := false // the task ends with the session
	if !w.registered(ctx) {
		return State{Lingers: &lingers}, nil
	}
	return State{Unit: `\` + Name, Enabled: true, Lingers: &lingers}, nil
}

// Log is the command that shows what the daemon said to its log.
func (w *TaskScheduler) Log(file string, lines int, follow bool) []string {
	script := "Get-Content -LiteralPath '" + strings.ReplaceAll(file, "'", "''") + "' -Tail " + strconv.Itoa(lines)
	if follow {
		script += " -Wait"
	}
	return []string{"powershell", "-NoProfile", "-Command", script}
}
