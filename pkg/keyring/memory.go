package keyring

import (
	"context"
	"sync"

	"github.com/mfad/mfad/pkg/creds"
)

// Memory is a [Store] that forgets everything with the process: for the demo,
// which touches nothing of the user's, and for tests. It is never locked. The
// zero Memory is empty and ready to use.
type Memory struct {
	mu    sync.Mutex // guards items
	items map[string]creds.Secret
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, name string) (creds.Secret, error) {
	if err := before(ctx, name); err != nil {
		return creds.Secret{}, named(opRead(name), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.items[name]
	if !ok {
		return creds.Secret{}, named(opRead(name), fail(creds.CodeKeyNotFound, "", errNotFound))
	}
	return value, nil
}

// Set implements [Store].
func (m *Memory) Set(ctx context.Context, name string, value creds.Secret) error {
	if err := beforeSet(ctx, name, value); err != nil {
		return named(opStore(name), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items == nil {
		m.items = make(map[string]creds.Secret)
	}
	m.items[name] = value
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, name string) error {
	if err := before(ctx, name); err != nil {
		return named(opDelete(name), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.items[name]; !ok {
		return named(opDelete(name), fail(creds.CodeKeyNotFound, "", errNotFound))
	}
	delete(m.items, name)
	return nil
}

// before is what every store asks before it reads or deletes.
func before(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return ctx.Err()
}

// beforeSet is what every store asks before it writes.
func beforeSet(ctx context.Context, name string, value creds.Secret) error {
	if err := checkItem(name, value); err != nil {
		return err
	}
	return ctx.Err()
}
