// Package console knows where the AWS console is, in every partition, and has a
// browser sign in there. The sign-in token travels in a form that the browser
// gets over the loopback and posts to AWS: never as an argument, in a file or
// in an address that a browser remembers. It never calls AWS itself and never
// reads a file.
package console

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mfad/mfad/pkg/creds"
)

// partition is one of AWS's separate clouds. An account, its roles and its
// console belong to exactly one.
type partition struct {
	name     string
	prefixes []string // of its regions: what stands before "-north-1"
	home     string   // the region that is meant where none is named
	signin   string   // host of the sign-in service
	regional bool     // the sign-in service has one host per region: REGION.signin
	domains  []string // every page is under one of them; the console's is the first
	closed   bool     // what pages there are is not published
}

// partitions has the regions of the SDKs' partitions.json and the sign-in hosts
// of "AWS General Reference, AWS Sign-In endpoints and quotas", for the
// partitions that it does not list those of the SDKs' endpoint rules for the
// sign-in service. China and GovCloud sign in at one host for all regions.
func partitions() []partition {
	return []partition{
		{name: "aws", prefixes: []string{"us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"}, home: "us-east-1",
			signin: "signin.aws.amazon.com", regional: true, domains: []string{"aws.amazon.com"}},
		{name: "aws-cn", prefixes: []string{"cn"}, home: "cn-north-1",
			signin: "signin.amazonaws.cn", domains: []string{"amazonaws.cn"}},
		{name: "aws-us-gov", prefixes: []string{"us-gov"}, home: "us-gov-west-1",
			signin: "signin.amazonaws-us-gov.com", domains: []string{"amazonaws-us-gov.com"}},
		{name: "aws-eusc", prefixes: []string{"eusc-de"}, home: "eusc-de-east-1",
			signin: "signin.amazonaws-eusc.eu", regional: true, domains: []string{"amazonaws-eusc.eu"}},
		{name: "aws-iso", prefixes: []string{"us-iso"}, home: "us-iso-east-1", closed: true,
			signin: "signin.c2shome.ic.gov", regional: true, domains: []string{"c2shome.ic.gov", "c2s.ic.gov"}},
		{name: "aws-iso-b", prefixes: []string{"us-isob"}, home: "us-isob-east-1", closed: true,
			signin: "signin.sc2shome.sgov.gov", regional: true, domains: []string{"sc2shome.sgov.gov", "sc2s.sgov.gov"}},
		{name: "aws-iso-e", prefixes: []string{"eu-isoe"}, home: "eu-isoe-west-1", closed: true,
			signin: "signin.csphome.adc-e.uk", regional: true, domains: []string{"csphome.adc-e.uk", "cloud.adc-e.uk"}},
		{name: "aws-iso-f", prefixes: []string{"us-isof"}, home: "us-isof-south-1", closed: true,
			signin: "signin.csphome.hci.ic.gov", regional: true, domains: []string{"csphome.hci.ic.gov", "csp.hci.ic.gov"}},
	}
}

// Federation gives the endpoint of a partition that turns credentials into a
// sign-in token and a sign-in token into a console session ("IAM User Guide,
// Enable custom identity broker access to the AWS console"). Use one endpoint
// for both.
//
// The empty partition means aws, the empty region the partition's first. A
// region of another partition, something that is no region, and an unknown
// partition are a [creds.Error] with [creds.CodeUsage].
func Federation(partition, region string) (string, error) {
	p, err := find(partition, region)
	if err != nil {
		return "", err
	}
	if region == "" {
		region = p.home
	}
	host := p.signin
	// us-east-1 has the name without a region, and aws is alone in that.
	if p.regional && region != "us-east-1" {
		host = region + "." + host
	}
	return "https://" + host + "/federation", nil
}

// find gives the partition, if the region is one of its own or empty.
func find(name, region string) (partition, error) {
	if name == "" {
		name = "aws"
	}
	var known []string
	for _, p := range partitions() {
		if p.name == name {
			return p, p.checkRegion(region)
		}
		known = append(known, p.name)
	}
	return partition{}, refuse("the partitions are "+strings.Join(known, ", "), "no such partition",
		"find the console of partition %q", name)
}

func (p partition) checkRegion(region string) error {
	if region == "" {
		return nil
	}
	op := fmt.Sprintf("find the console of region %q", region)
	hint := "give a region of " + p.name + ", such as: --region " + p.home
	prefix, ok := regionPrefix(region)
	if !ok {
		return refuse(hint, "that is not the name of a region", "%s", op)
	}
	if of := partitionOf(prefix); of != p.name {
		return refuse(hint, fmt.Sprintf("the role is in partition %s, and %s is a region of %s", p.name, region, of), "%s", op)
	}
	return nil
}

// partitionOf names the partition that regions with this prefix are in. A
// prefix that nobody has yet is one of aws: the SDKs take it for that too.
func partitionOf(prefix string) string {
	for _, p := range partitions() {
		for _, own := range p.prefixes {
			if own == prefix {
				return p.name
			}
		}
	}
	return "aws"
}

// regionPrefix gives what stands before the last two parts of a region's name:
// us-gov of us-gov-west-1. What passes is safe as a part of a host name.
func regionPrefix(region string) (prefix string, ok bool) {
	parts := strings.Split(region, "-")
	n := len(parts)
	if n < 3 || n > 5 || len(region) > 32 {
		return "", false
	}
	for i, part := range parts {
		first, last := 'a', 'z'
		if i == n-1 {
			first, last = '0', '9'
		}
		if part == "" || strings.IndexFunc(part, func(r rune) bool { return r < first || r > last }) >= 0 {
			return "", false
		}
	}
	return strings.Join(parts[:n-2], "-"), true
}

// refuse is the error of something that the user wrote.
func refuse(hint, cause, format string, args ...any) error {
	return &creds.Error{Code: creds.CodeUsage, Op: fmt.Sprintf(format, args...), Hint: hint, Err: errors.New(cause)}
}
