package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// columns are the table's heads.
var columns = [...]string{"figure", "median", "reference", "ratio", "limit", ""}

// cells are a figure's part of the table.
func (f figure) cells() [len(columns)]string {
	reference := f.against
	if reference != "" {
		reference = f.reference.String() + ": " + f.against
	}
	return [...]string{f.name, f.measured.String(), reference, f.ratio.String(), f.limit.String(), f.verdict()}
}

// writeText prints the table for a terminal.
func writeText(w io.Writer, figures []figure) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(columns[:], "\t"))
	for _, f := range figures {
		cells := f.cells()
		fmt.Fprintln(t, strings.ReplaceAll(strings.Join(cells[:], "\t"), "`", ""))
	}
	return t.Flush()
}

// machine is what the figures depend on, and nothing that tells whose it is.
type machine struct {
	cpus                    int
	system, arch, goVersion string
	kernel                  string // empty where it is not known
}

func thisMachine() machine {
	m := machine{cpus: runtime.NumCPU(), system: runtime.GOOS, arch: runtime.GOARCH, goVersion: runtime.Version()}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		version := strings.SplitN(strings.TrimSpace(string(b)), ".", 3)
		m.kernel = " " + strings.Join(version[:min(2, len(version))], ".")
	}
	return m
}

// writePage writes docs/performance.md.
func writePage(w io.Writer, figures []figure, m machine) error {
	var b strings.Builder
	fmt.Fprintf(&b, `# Performance

Written by

`+"```sh\nscripts/bench\n```"+`

which takes about four minutes, on %d CPUs, %s%s, %s, %s. It builds mfad and a
minimal Go program ([its source](../scripts/benchmark/reference/main.go)), runs real
daemons in temporary folders against the [simulated AWS](testing.md), which takes 80 ms
over each call, or 50 for the thousand roles, and needs neither root nor a network.

`, m.cpus, m.system, m.kernel, m.arch, m.goVersion)
	row := func(cells [len(columns)]string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells[:], " | ")) }
	row(columns)
	row([len(columns)]string{"---", "---:", "---", "---:", "---:", "---"})
	for _, f := range figures {
		row(f.cells())
	}
	fmt.Fprintf(&b, `
A time depends on the machine and on what else it does. So each is measured in turns
with a reference that slows down with it; the ratio is the median of the single pairs'
ratios, and the limit is the ratio's where there is one.

- The start is the whole life of a process, from before it is made until it is gone:
  %d pairs, each answer checked. The minimal Go program connects to a unix socket, writes
  a line, and prints the line that comes back, which is as long as mfad's.
- `+"`mfad exec`"+` starts a process that serves the command, asks the daemon, copies the AWS
  config, and becomes the command; %d pairs.
- A login ends when the credentials file is written; %d rounds. A plain write is of as
  many bytes, synced and renamed. mfad's also looks whether somebody else writes the file,
  and its state is written too. A wave is what can be in flight at once. The file keyring
  takes its time over a passphrase on purpose; a desktop's keyring answers at once.
- The %d commands are real processes that find nothing cached. Their code comes when all
  of them wait; %d rounds.
- The thousand roles are assumed by one code; %d rounds. The simulated AWS, which checks
  every signature, shares the machine with the daemon; so the plain loop, in the same
  process as the simulator, takes longer than the network alone would.
- The large file is in memory, so that the disk does not count; %d pairs.
- The daemons at rest are those that did the logins and the answers: their memory after
  %.0f s, their processor time over %.0f s as the scheduler counts it.
- Counts are the worst of all rounds.

mfad answers `+"`credential-process`"+` before the rest of the program is initialised
(pkg/fastpath); what is left is the start of a Go process.
`, startPairs, execPairs, loginRounds, crowd, crowdRounds, scaleRounds, filePairs, settle.Seconds(), watch.Seconds())
	_, err := io.WriteString(w, b.String())
	return err
}
