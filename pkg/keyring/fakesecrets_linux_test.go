package keyring

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/godbus/dbus/v5"
)

// fakeSecrets is a Secret Service that misbehaves on demand. The zero value,
// once put on a bus, is unlocked and holds nothing.
type fakeSecrets struct {
	conn *dbus.Conn

	locked    atomic.Bool          // what the Locked property says
	empty     atomic.Bool          // there is no collection
	lateLock  atomic.Bool          // Locked says no, and Unlock asks nevertheless
	hold      chan struct{}        // SearchItems waits for it, if set
	held      chan struct{}        // gets one for each SearchItems that waits
	onPrompt  func(f *fakeSecrets) // what showing the prompt leads to; nil: nobody answers
	prompts   chan struct{}        // gets one for each prompt shown
	dismissed chan struct{}        // gets one for each prompt taken back
	made      atomic.Bool          // CreateCollection was called
	label     atomic.Value         // with this label
}

const (
	fakePrompt  = dbus.ObjectPath("/org/freedesktop/secrets/prompt/p1")
	fakeSession = dbus.ObjectPath("/org/freedesktop/secrets/session/s1")
)

// startFake puts the service on the rig's bus.
func startFake(t *testing.T, r *rig, f *fakeSecrets) *fakeSecrets {
	t.Helper()
	f.conn = r.connect()
	f.held, f.prompts, f.dismissed = make(chan struct{}, 100), make(chan struct{}, 100), make(chan struct{}, 100)
	for _, export := range []struct {
		v     any
		path  dbus.ObjectPath
		iface string
	}{
		{fakeProperties{f}, secretsPath, "org.freedesktop.DBus.Properties"},
		{fakeProperties{f}, loginCollection, "org.freedesktop.DBus.Properties"},
		{fakeService{f}, secretsPath, secretService},
		{fakeCollection{f}, loginCollection, secretCollection},
		{fakePrompter{f}, fakePrompt, secretPrompt},
	} {
		if err := f.conn.Export(export.v, export.path, export.iface); err != nil {
			t.Fatal(err)
		}
	}
	reply, err := f.conn.RequestName(secretsName, dbus.NameFlagDoNotQueue)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("RequestName = %v, %v", reply, err)
	}
	return f
}

// complete says that the prompt was answered.
func (f *fakeSecrets) complete(dismissed bool) {
	_ = f.conn.Emit(fakePrompt, secretPrompt+".Completed", dismissed, dbus.MakeVariant([]dbus.ObjectPath{loginCollection}))
}

type fakeProperties struct{ f *fakeSecrets }

func (p fakeProperties) Get(_, name string) (dbus.Variant, *dbus.Error) {
	switch name {
	case "Collections":
		if p.f.empty.Load() {
			return dbus.MakeVariant([]dbus.ObjectPath{}), nil
		}
		return dbus.MakeVariant([]dbus.ObjectPath{loginCollection}), nil
	case "Label":
		return dbus.MakeVariant("kdewallet"), nil
	case "Locked":
		return dbus.MakeVariant(p.f.locked.Load()), nil
	}
	return dbus.Variant{}, dbus.MakeFailedError(strconv.ErrSyntax)
}

type fakeService struct{ f *fakeSecrets }

func (s fakeService) ReadAlias(string) (dbus.ObjectPath, *dbus.Error) { return noObject, nil }

func (s fakeService) Unlock(objects []dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	if s.f.locked.Load() || s.f.lateLock.Load() {
		return []dbus.ObjectPath{}, fakePrompt, nil
	}
	return objects, noObject, nil
}

func (s fakeService) CreateCollection(properties map[string]dbus.Variant, _ string) (dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	s.f.made.Store(true)
	s.f.label.Store(properties[secretCollection+".Label"].Value())
	return noObject, fakePrompt, nil
}

func (s fakeService) OpenSession(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	return dbus.MakeVariant(""), fakeSession, nil
}

type fakeCollection struct{ f *fakeSecrets }

func (c fakeCollection) SearchItems(map[string]string) ([]dbus.ObjectPath, *dbus.Error) {
	if c.f.hold != nil {
		c.f.held <- struct{}{}
		<-c.f.hold
	}
	return []dbus.ObjectPath{}, nil
}

type fakePrompter struct{ f *fakeSecrets }

func (p fakePrompter) Prompt(string) *dbus.Error {
	p.f.prompts <- struct{}{}
	if p.f.onPrompt != nil {
		p.f.onPrompt(p.f)
	}
	return nil
}

func (p fakePrompter) Dismiss() *dbus.Error {
	p.f.dismissed <- struct{}{}
	return nil
}
