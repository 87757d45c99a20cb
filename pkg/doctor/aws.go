package doctor

import (
	"time"
)

// How far the clock may be off. AWS refuses a stamp that is 15 minutes off ("IAM
// User Guide, AWS Signature Version 4 for API requests"), and a code is made for
// 30 seconds.
const (
	skewTold  = 30 * time.Second
	skewFault = 5 * time.Minute
)

// checkClock compares this machine's clock with AWS's.
func checkClock(p Picture) []Finding {
	for _, r := range p.Reaches {
		if !r.Dated {
			continue
		}
		f := Finding{Check: "clock", Level: OK, What: "the clock agrees with AWS's (" + r.Host + ")"}
		off := r.Ahead.Round(time.Second)
		if off.Abs() <= skewTold {
			return one(f)
		}
		f.Level, f.What, f.Fix = Hint, "the clock", p.setClock()
		if off.Abs() > skewFault {
			f.Level = Fault
		}
		way := "behind"
		if off < 0 {
			way = "ahead of"
		}
		f.Why = "it is " + off.Abs().String() + " " + way + " AWS's (" + r.Host + "); programs other than mfad fail, and so do codes made on this machine"
		return one(f)
	}
	for _, r := range p.Reaches {
		if r.Err == nil {
			return one(Finding{Check: "clock", Level: Hint, What: "the clock", Why: "the answer of " + r.Host + " has no Date to compare it with",
				Fix: "date -u, and compare"})
		}
	}
	return nil // told by the next check
}

// setClock is how the clock is set by a time server on this system.
func (p Picture) setClock() string {
	switch p.System {
	case "darwin":
		return "sudo sntp -sS time.apple.com"
	case "windows":
		return "w32tm /resync"
	case "linux":
		return "sudo timedatectl set-ntp true"
	}
	return "sudo sntp -sS pool.ntp.org"
}

// checkEndpoint tells whether AWS is reached, in each region that is used.
func checkEndpoint(p Picture) []Finding {
	var found []Finding
	for _, r := range p.Reaches {
		what := "AWS in " + r.Region
		if r.Proxy != "" {
			what += " through the proxy " + r.Proxy
		}
		if r.Err != nil {
			found = append(found, failure("endpoint", Fault, what, r.Err, "check the network"))
			continue
		}
		found = append(found, Finding{Check: "endpoint", Level: OK, What: what + " answers (" + r.Host + ")"})
	}
	return found
}
