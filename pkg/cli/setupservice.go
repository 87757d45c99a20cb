package cli

import (
	"context"
	"fmt"
)

// offerService has the system keep the daemon running, if that is wanted. What came
// before is done, so a refusal of the service manager's is told and ends nothing,
// unless a flag asked for the service.
func (s *setupRun) offerService(ctx context.Context) error {
	wanted := s.flags.service == "yes"
	if s.flags.service == "no" || !wanted && !s.asks() {
		return nil
	}
	o, err := s.serviceOptions(serviceFlags{dryRun: s.flags.dryRun})
	if err != nil {
		if wanted {
			return err
		}
		return nil // this config, or this system, is none for a service
	}
	manager := newSupervisor(o)
	if !wanted {
		st, err := manager.Status(ctx)
		if err != nil || st.Unit != "" && st.Enabled || manager.Ready(ctx) != nil {
			return nil
		}
		fmt.Fprintln(s.talk(), "As a service mfad starts at login and after a failure; else the first command that needs it starts it.")
		if wanted, err = s.yesNo(ctx, "install the service?", true); err != nil || !wanted {
			return err
		}
	}
	err = manager.Install(ctx)
	if err == nil && !s.flags.dryRun {
		s.afterInstall(ctx, o)
	}
	if err != nil && s.flags.service == "" {
		s.note("the service is not installed: %v", err)
		fmt.Fprintln(s.err, "hint: run: mfad service install")
		return nil
	}
	return err
}
