package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// foreignBlocks is what others have in the file: all that people write there, and
// one line that changes.
var foreignBlocks = [...]string{
	"# my keys; do not touch\n[default]\nregion = eu-west-1\n\n",
	"[old-style]\n  aws_access_key_id=AKIAEXAMPLE000000001\n\taws_secret_access_key : not/a/secret\n; a remark\n",
	"[nested]\ns3 =\n    max_concurrent_requests = 20\n    signature_version = s3v4\nregion   =   us-east-1   \n\n\n",
	"[foreign]\nturn = 0\nother = kept\n",
	"[crlf]\r\nregion = eu-north-1\r\n#[not.a.section]\r\n",
}

// turnLine is the line that changes.
var turnLine = regexp.MustCompile(`(?m)^turn = (\d+)$`)

// foreignText is the file before mfad's first write.
func foreignText(turn int) string {
	return setTurn(strings.Join(foreignBlocks[:], ""), turn)
}

func setTurn(text string, turn int) string {
	return turnLine.ReplaceAllLiteralString(text, "turn = "+strconv.Itoa(turn))
}

// turnOf gives the number in the line that changes; -1 if it is not there once.
func turnOf(text string) int {
	found := turnLine.FindAllStringSubmatch(text, -1)
	if len(found) != 1 {
		return -1
	}
	n, err := strconv.Atoi(found[0][1])
	if err != nil {
		return -1
	}
	return n
}

// tornForeign tells what of the others' is not as it was; "" if all is.
func tornForeign(text string) string {
	text = setTurn(text, 0)
	for _, block := range foreignBlocks {
		_, rest, found := strings.Cut(text, block)
		if !found {
			return fmt.Sprintf("the block %.20q is not as it was (the file has %d bytes)", block, len(text))
		}
		text = rest
	}
	return ""
}

// foreigner writes the credentials file in place, now and then, and takes no
// lock, as `aws configure set` does.
type foreigner struct {
	stage   *stage
	figures foreignFigures
}

type foreignFigures struct {
	writes, lost int
	where        []string
}

// foreignEvery is about how often it writes, and healed how long after a start or
// a stop of the daemon its last write must be there again.
const (
	foreignEvery = 400 * time.Millisecond
	healed       = 2 * time.Second
)

func (f *foreigner) run(ctx context.Context) {
	turn := 0
	for pause(ctx.Done(), foreignEvery) {
		if f.stage.running.calmFor(time.Now()) < healed {
			// A start may still have to merge the last write.
			continue
		}
		found, err := f.write(turn + 1)
		if err != nil {
			f.note("a write in place: %v", err)
			continue
		}
		if found != turn {
			f.figures.lost++
			f.note("the others' write %d was lost: the file had %d", turn, found)
		}
		turn++
		f.figures.writes++
	}
}

func (f *foreigner) note(format string, args ...any) {
	f.figures.where = append(f.figures.where, stamp(time.Now())+": "+fmt.Sprintf(format, args...))
}

// write reads the file, changes its line and writes it; it gives what was there.
func (f *foreigner) write(turn int) (found int, err error) {
	f.stage.writing.Lock()
	defer f.stage.writing.Unlock()
	b, err := os.ReadFile(f.stage.credentials())
	if err != nil {
		return -1, err
	}
	found = turnOf(string(b))
	return found, os.WriteFile(f.stage.credentials(), []byte(setTurn(string(b), turn)), 0o600)
}
