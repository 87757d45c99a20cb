package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Fingerprint names what makes p's credentials what they are: the identity, the
// whole chain, the role and everything that STS is told about the session. Two
// profiles with one fingerprint could use each other's credentials; a profile
// whose fingerprint changes needs new ones. Where the credentials go, region
// and output, and when and in which way they are refreshed don't count.
//
// It is 32 hexadecimal digits, the same in every run and on every machine.
func Fingerprint(p *Profile) string {
	h := sha256.New()
	for ; p != nil; p = p.Source {
		fingerprint(h, p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func fingerprint(h hash.Hash, p *Profile) {
	tags := make([]string, len(p.SessionTags))
	for i, t := range p.SessionTags {
		tags[i] = t.Key + "=" + t.Value
	}
	// A length in front of each field keeps "ab","c" apart from "a","bc".
	for _, field := range [][]string{
		{"v1", p.Identity, p.RoleARN, p.Duration.String(), p.RoleSessionName, p.ExternalID, p.SourceIdentity, p.Policy},
		sorted(tags), sorted(p.TransitiveSessionTags), sorted(p.PolicyARNs),
	} {
		_, _ = io.WriteString(h, strconv.Itoa(len(field))+"\n")
		for _, text := range field {
			_, _ = io.WriteString(h, strconv.Itoa(len(text))+":"+text)
		}
	}
}

// sorted takes away an order that means nothing to AWS.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.SortFunc(list, strings.Compare)
	return list
}
