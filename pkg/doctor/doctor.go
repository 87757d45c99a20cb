// Package doctor tells what is wrong between a user, mfad and AWS, and the next
// step for each: the clock, the network, the keyring, the files of both, the
// variables of the shell. It looks at a [Picture] that somebody else gathered, so
// every check is a function without a side effect. It mends nothing, asks nobody,
// calls nobody, and what it says holds no secret: of a key's ID at most the first
// and the last four characters.
package doctor

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/mfad/mfad/pkg/credfile"
	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
	"github.com/mfad/mfad/pkg/profile"
)

// Level says how much a finding matters.
type Level string

// The levels.
const (
	OK    Level = "ok"
	Hint  Level = "hm" // no failure: good to know, or not mfad's
	Fault Level = "no" // something does not work
)

// Finding is what one check found. What names the thing in a few words; Why and
// Fix are empty where it is all right.
type Finding struct {
	Check    string // the check's name, which is stable
	Level    Level
	Profile  string // whom it concerns alone; empty: more than one profile
	Identity string // likewise
	What     string
	Why      string // what is wrong, without a final period
	Fix      string // one command, or one step
}

// Picture is everything that the checks look at. What could not be learned is
// zero, with the reason beside it.
type Picture struct {
	Now     time.Time
	Version string // of the program that asks
	Program string // its path; empty: not known
	System  string // as runtime.GOOS
	Profile string // if set, only what concerns this profile is of interest

	ConfigPath string
	Config     *profile.Config // nil: it cannot be loaded
	ConfigErr  error           // why

	Daemon  Daemon
	Keyring Keyring
	Reaches []Reach
	Modes   []Mode
	Units   []Unit

	// Credentials and AWSConfig are the files that mfad writes; the other two are
	// those that programs of this shell read.
	Credentials, AWSConfig        credfile.View
	ShellCredentials, ShellConfig string
	// Conflicts are the profiles of the config that AWS's files cannot serve.
	Conflicts map[string]*creds.Error

	Getenv func(string) string
	// Inside is the profile of the `mfad exec` that this runs in; empty: none.
	Inside string
	// Terraform tells that the folder at hand has Terraform's files.
	Terraform bool
}

// Daemon is what is known of the daemon.
type Daemon struct {
	Status    *localapi.Status // nil: it did not answer
	Err       error            // why not
	Holder    int              // the process that holds the daemon's lock; 0: none
	Autostart bool             // commands may start it
	// LastWords and LastHint are what the last one said that a command started and
	// that ended with an error.
	LastWords, LastHint string
}

// Keyring is what was found without a daemon.
type Keyring struct {
	Looked bool
	Kind   string
	Reason string // why this kind
	Err    error
}

// Reach is how AWS was reached in one region.
type Reach struct {
	Region, Host, Proxy string
	Ahead               time.Duration // AWS's clock less this machine's
	Dated               bool          // Ahead is known
	Err                 error
}

// Mode is a file or a folder whose rights matter.
type Mode struct {
	Path string
	What string      // such as "the socket"
	Perm fs.FileMode // what it has
	Want fs.FileMode // the most that it should have
	// Lenient: that others can read it is no failure.
	Lenient bool
}

// Unit is a service manager's file that starts mfad's daemon.
type Unit struct {
	Path, Command string // Command is the program, without arguments
	Gone          bool   // there is no such program
	Same          bool   // it is the program that asks
	Err           error  // why the file tells nothing
}

// Examine makes every check. The order is that in which things depend on one
// another: what is mended first may mend what comes later.
func Examine(p Picture) []Finding {
	var all []Finding
	for _, check := range []func(Picture) []Finding{
		checkDaemon, checkVersion, checkService, checkConfig, checkModes, checkKeyring,
		checkClock, checkEndpoint, checkFiles, checkSections, checkEnvironment,
		checkIdentities, checkProfiles, checkTerraform, checkBetter,
	} {
		all = append(all, check(p)...)
	}
	for i := range all {
		all[i].Fix = strings.TrimPrefix(all[i].Fix, "run: ") // as hints begin
	}
	return all
}

// Failed tells whether any finding is a failure.
func Failed(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Level == Fault })
}

// concerns tells whether a profile is of interest: all are, or the one named and
// those that it is assumed from.
func (p Picture) concerns(name string) bool {
	if p.Profile == "" || p.Profile == name {
		return true
	}
	if p.Config == nil {
		return false
	}
	for at := p.Config.Profiles[p.Profile]; at != nil; at = at.Source {
		if at.Name == name {
			return true
		}
	}
	return false
}

// profiles are those of the config that are of interest.
func (p Picture) profiles() []*profile.Profile {
	if p.Config == nil {
		return nil
	}
	var found []*profile.Profile
	for _, name := range p.Config.ProfileNames() {
		if p.concerns(name) {
			found = append(found, p.Config.Profiles[name])
		}
	}
	return found
}

// one makes a check's only finding.
func one(f Finding) []Finding { return []Finding{f} }

// failure turns an error into a finding.
func failure(check string, level Level, what string, err error, fix string) Finding {
	if hint := creds.HintOf(err); hint != "" {
		fix = hint
	}
	return Finding{Check: check, Level: level, What: what, Why: err.Error(), Fix: fix}
}

// Mask shows as much of an access key's ID as tells it from another: AWS's own
// tools show the last four characters.
func Mask(id string) string {
	if len(id) < 12 {
		return "…"
	}
	return id[:4] + "…" + id[len(id)-4:]
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
