package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// census looks once a second at what the daemon holds, in /proc.
type census struct {
	stage   *stage
	life    int      // whose samples these are
	samples []sample // of the last daemon
	peak    sample   // of all daemons
}

type sample struct{ resident, descriptors int } // KiB, number

func (c *census) run(ctx context.Context) {
	for pause(ctx.Done(), time.Second) {
		pid, life := c.stage.process()
		if pid == 0 {
			continue
		}
		s, err := look(pid)
		if err != nil { // just killed
			continue
		}
		if life != c.life {
			c.life, c.samples = life, nil
		}
		c.samples = append(c.samples, s)
		c.peak = sample{max(c.peak.resident, s.resident), max(c.peak.descriptors, s.descriptors)}
	}
}

// censusFigures compare the second and the last quarter of the last daemon's life,
// by the least of each: what comes and goes with the work is not kept.
type censusFigures struct {
	life           int    // seconds that the last daemon was watched
	peak           sample // of all daemons
	earlier, later int    // resident, KiB
}

func (c *census) figures() censusFigures {
	n := len(c.samples)
	return censusFigures{life: n, peak: c.peak, earlier: least(c.samples[n/4 : n/2]), later: least(c.samples[n-n/4:])}
}

func least(samples []sample) (resident int) {
	for i, s := range samples {
		if i == 0 || s.resident < resident {
			resident = s.resident
		}
	}
	return resident
}

func look(pid int) (s sample, err error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			s.resident, err = strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	open, listErr := os.ReadDir(filepath.Join(dir, "fd"))
	if err == nil {
		err = listErr
	}
	s.descriptors = len(open)
	return s, err
}
