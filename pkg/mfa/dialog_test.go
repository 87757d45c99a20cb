package mfa

import (
	"testing"
	"testing/synctest"

	"github.com/mfad/mfad/pkg/creds"
)

// TestTheDialog opens where no client has a terminal, for as long as it is wanted.
func TestTheDialog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{Methods: []Method{Process, Terminal, Dialog}})
		window := d.Attend("corp")
		if d.CanAsk("corp") {
			t.Error("nobody sits there, and it could ask")
		}
		window.Ready(ForClients)
		got := next(t, d, nil)
		synctest.Wait()
		if heard(window) != "" {
			t.Error("a dialog opened though no client waits")
		}
		client := d.Sit("corp", "prod", false, false)
		if !d.CanAsk("corp") || heard(window) != Ask {
			t.Error("no dialog opened for a client without a terminal")
		}
		person := d.Sit("corp", "dev", true, false)
		if heard(window) != Stop || heard(person) != Ask {
			t.Error("the terminal is not asked instead of the dialog")
		}
		person.Leave()
		if heard(window) != Ask {
			t.Error("no dialog opened when the terminal was gone")
		}
		window.Ready(Away) // the person pressed Cancel
		if d.CanAsk("corp") || heard(client) != Nobody {
			t.Error("the client still waits after the person declined")
		}
		client.Leave()
		window.Ready(Always)
		if heard(window) != Ask {
			t.Error("no dialog opened for the daemon itself")
		}
		if _, _, err := d.Offer("corp", "", creds.NewSecret("123456")); err != nil {
			t.Fatal(err)
		}
		if a := <-got; a.err != nil || a.Code.Code.Reveal() != "123456" {
			t.Errorf("Next gave %v, %v", a.Code, a.err)
		}
		d.Settle("corp", "", nil)
		if heard(window) != Stop {
			t.Error("the dialog is not closed when the question is settled")
		}
	})
}

// TestTheDialogIsNotAskedFor where the config leaves it out.
func TestTheDialogIsNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(Settings{})
		window := d.Attend("corp")
		window.Ready(Always)
		client := d.Sit("corp", "prod", false, false)
		_ = next(t, d, nil)
		synctest.Wait()
		if d.CanAsk("corp") || heard(window) != "" || heard(client) != Nobody {
			t.Error("a dialog opened all the same")
		}
		d.Settle("corp", "", nil)
	})
}
