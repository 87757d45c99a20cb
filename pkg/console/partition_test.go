package console

import (
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

func TestFederation(t *testing.T) {
	for _, tt := range []struct{ partition, region, want string }{
		{"aws", "", "https://signin.aws.amazon.com/federation"},
		{"", "", "https://signin.aws.amazon.com/federation"},
		{"aws", "us-east-1", "https://signin.aws.amazon.com/federation"},
		{"aws", "eu-west-1", "https://eu-west-1.signin.aws.amazon.com/federation"},
		{"aws", "ap-southeast-5", "https://ap-southeast-5.signin.aws.amazon.com/federation"},
		{"aws", "nz-south-1", "https://nz-south-1.signin.aws.amazon.com/federation"},
		{"aws-us-gov", "us-gov-east-1", "https://signin.amazonaws-us-gov.com/federation"},
		{"aws-us-gov", "", "https://signin.amazonaws-us-gov.com/federation"},
		{"aws-cn", "cn-northwest-1", "https://signin.amazonaws.cn/federation"},
		{"aws-eusc", "", "https://eusc-de-east-1.signin.amazonaws-eusc.eu/federation"},
		{"aws-iso", "us-iso-west-1", "https://us-iso-west-1.signin.c2shome.ic.gov/federation"},
		{"aws-iso-b", "", "https://us-isob-east-1.signin.sc2shome.sgov.gov/federation"},
		{"aws-iso-e", "", "https://eu-isoe-west-1.signin.csphome.adc-e.uk/federation"},
		{"aws-iso-f", "", "https://us-isof-south-1.signin.csphome.hci.ic.gov/federation"},
	} {
		if got, err := Federation(tt.partition, tt.region); got != tt.want || err != nil {
			t.Errorf("Federation(%q, %q) = %q, %v, want %q", tt.partition, tt.region, got, err, tt.want)
		}
	}
}

// TestRegionOfAnotherPartition is what a person meets whose profile has the
// region of one cloud and the role of another.
func TestRegionOfAnotherPartition(t *testing.T) {
	for _, tt := range []struct{ partition, region, text, hint string }{
		{"aws", "cn-north-1", "the role is in partition aws, and cn-north-1 is a region of aws-cn", "--region us-east-1"},
		{"aws", "us-gov-west-1", "a region of aws-us-gov", "--region us-east-1"},
		{"aws-us-gov", "us-east-1", "us-east-1 is a region of aws", "--region us-gov-west-1"},
		{"aws", "eu-isoe-west-1", "a region of aws-iso-e", "--region us-east-1"},
		{"aws-cn", "eusc-de-east-1", "a region of aws-eusc", "--region cn-north-1"},
		{"aws", "eu-west-1.evil.example/", "not the name of a region", "--region us-east-1"},
		{"aws", "evil.example/x-y-1", "not the name of a region", "--region us-east-1"},
		{"aws", "EU-WEST-1", "not the name of a region", "--region us-east-1"},
		{"aws", "eu-west", "not the name of a region", "--region us-east-1"},
		{"aws", "-west-1", "not the name of a region", "--region us-east-1"},
		{"aws-mars", "", `find the console of partition "aws-mars": no such partition`, "aws-us-gov"},
	} {
		_, federation := Federation(tt.partition, tt.region)
		_, destination := Destination(tt.partition, tt.region, "s3")
		for _, err := range []error{federation, destination} {
			wantUsage(t, tt.partition+" "+tt.region, err, tt.text, tt.hint)
		}
	}
}

func wantUsage(t *testing.T, what string, err error, text, hint string) {
	t.Helper()
	switch {
	case creds.CodeOf(err) != creds.CodeUsage:
		t.Errorf("%s: code %q of %v, want %q", what, creds.CodeOf(err), err, creds.CodeUsage)
	case !strings.Contains(err.Error(), text):
		t.Errorf("%s: text %q, want %q in it", what, err, text)
	case !strings.Contains(creds.HintOf(err), hint):
		t.Errorf("%s: hint %q, want %q in it", what, creds.HintOf(err), hint)
	case strings.Contains(err.Error()+creds.HintOf(err), "\n"):
		t.Errorf("%s: text %q is not one line", what, err)
	}
}
