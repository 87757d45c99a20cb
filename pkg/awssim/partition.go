package awssim

import (
	"net/url"
	"strings"
)

// partition is what tells one of AWS's separate clouds from another.
type partition struct {
	regions pattern
	console string // domain of its console pages
}

// partitions has the region patterns of the SDKs' partitions.json and the
// console domains of "AWS General Reference, AWS Sign-In endpoints".
var partitions = map[string]partition{
	"aws":        {newPattern(`(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+`), "aws.amazon.com"},
	"aws-cn":     {newPattern(`cn-\w+-\d+`), "amazonaws.cn"},
	"aws-us-gov": {newPattern(`us-gov-\w+-\d+`), "amazonaws-us-gov.com"},
	"aws-eusc":   {newPattern(`eusc-de-\w+-\d+`), "amazonaws-eusc.eu"},
}

// isConsole tells whether address is a page of the partition's console.
func (p partition) isConsole(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return false
	}
	host := u.Hostname()
	return host == p.console || strings.HasSuffix(host, "."+p.console)
}
