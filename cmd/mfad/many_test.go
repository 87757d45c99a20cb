//go:build unix

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mfad/mfad/pkg/awssim"
)

// TestManyAtOnceCold: processes that start together, before there is a session,
// cause one question, one session, and one AssumeRole for each role.
func TestManyAtOnceCold(t *testing.T) {
	for _, tt := range []struct {
		name           string
		callers, roles int
	}{
		{"fifty roles", 50, 50},
		{"one role, fifty times", 50, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t, 1)
			m.addAlice()
			var config strings.Builder
			fmt.Fprintf(&config, "[identity corp]\nmfa_serial = %s\nmfa_process = echo asked >>%s; cat %s\n",
				m.device.Serial, m.path("asked"), m.write("code", m.code(), 0o600))
			for i := range tt.roles {
				role := m.sim.AddRole(awssim.Role{Account: "333333333333", Name: fmt.Sprintf("R%d", i), Principals: []string{m.alice.ARN}, RequireMFA: true})
				fmt.Fprintf(&config, "[profile r%d]\nidentity = corp\nwrite = none\nrole_arn = %s\n", i, role.ARN)
			}
			m.write(".config/mfad/config.ini", config.String(), 0o600)
			m.kill(9) // the next one reads the config anew
			m.mfad("status")
			var callers sync.WaitGroup
			for i := range tt.callers {
				callers.Go(func() {
					r := finish(m.command(binary, "credential-process", "--profile", fmt.Sprintf("r%d", i%tt.roles)))
					if r.status != 0 || !strings.HasPrefix(r.stdout, `{"Version":1,"AccessKeyId":"ASIA`) {
						t.Errorf("caller %d: status %d, %s", i, r.status, r.stderr)
					}
				})
			}
			callers.Wait()
			if n := len(m.sim.Calls("GetSessionToken")); n != 1 {
				t.Errorf("%d codes were spent, want one", n)
			}
			if n := len(m.sim.Calls("AssumeRole")); n != tt.roles {
				t.Errorf("%d calls of AssumeRole, want %d", n, tt.roles)
			}
		})
	}
}
