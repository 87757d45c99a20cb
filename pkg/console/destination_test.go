package console

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mfad/mfad/pkg/creds"
)

func TestDestination(t *testing.T) {
	const eu = "https://eu-west-1.console.aws.amazon.com/"
	for _, tt := range []struct{ partition, region, what, want string }{
		{"aws", "eu-west-1", "", eu + "console/home?region=eu-west-1"},
		{"aws", "", "", "https://console.aws.amazon.com/console/home"},
		{"aws", "eu-west-1", "s3", eu + "s3/home?region=eu-west-1"},
		{"aws", "eu-west-1", " EC2 ", eu + "ec2/home?region=eu-west-1"},
		{"aws", "eu-west-1", "logs", eu + "cloudwatch/home?region=eu-west-1#logsV2:log-groups"},
		{"aws", "eu-west-1", "cfn", eu + "cloudformation/home?region=eu-west-1"},
		{"aws", "", "sqs", "https://console.aws.amazon.com/sqs/v3/home"},
		{"aws", "eu-west-1", "iam", "https://console.aws.amazon.com/iam/home"},
		{"aws", "eu-west-1", "roles", "https://console.aws.amazon.com/iam/home#/roles"},
		{"aws-us-gov", "us-gov-east-1", "eks", "https://us-gov-east-1.console.amazonaws-us-gov.com/eks/home?region=us-gov-east-1"},
		{"aws-cn", "cn-north-1", "", "https://cn-north-1.console.amazonaws.cn/console/home?region=cn-north-1"},
		{"aws-cn", "cn-north-1", "iam", "https://console.amazonaws.cn/iam/home"},
		{"aws-eusc", "eusc-de-east-1", "rds", "https://eusc-de-east-1.console.amazonaws-eusc.eu/rds/home?region=eusc-de-east-1"},
	} {
		if got, err := Destination(tt.partition, tt.region, tt.what); got != tt.want || err != nil {
			t.Errorf("Destination(%q, %q, %q) = %q, %v, want %q", tt.partition, tt.region, tt.what, got, err, tt.want)
		}
	}
}

// TestAddressesThatPass are taken as they are.
func TestAddressesThatPass(t *testing.T) {
	for partition, addresses := range map[string][]string{
		"aws": {
			"https://console.aws.amazon.com/",
			"https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:search=a b",
			"https://s3.console.aws.amazon.com/s3/buckets/x",
			"https://support.console.aws.amazon.com:443/support/home",
			"https://111111111111-abcdefgh.eu-west-1.console.aws.amazon.com/s3/home",
			"https://health.aws.amazon.com/health/home",
			"https://lightsail.aws.amazon.com/ls/webapp/home",
			"https://us-east-1.quicksight.aws.amazon.com/sn/start",
			"https://CONSOLE.AWS.amazon.com/iam",
		},
		"aws-cn":     {"https://console.amazonaws.cn/s3/home"},
		"aws-us-gov": {"https://us-gov-east-1.console.amazonaws-us-gov.com/"},
		"aws-eusc":   {"https://console.amazonaws-eusc.eu/"},
		"aws-iso":    {"https://console.c2shome.ic.gov/s3", "https://anything.c2s.ic.gov/"},
		"aws-iso-f":  {"https://console.csphome.hci.ic.gov/"},
	} {
		for _, address := range addresses {
			if got, err := Destination(partition, "", address); got != address || err != nil {
				t.Errorf("Destination(%q, %q) = %q, %v, want it as it is", partition, address, got, err)
			}
		}
	}
}

func TestAddressesThatDoNot(t *testing.T) {
	for _, tt := range []struct{ partition, address, text string }{
		{"aws", "https://console.amazonaws.cn/", "the role is in partition aws, and console.amazonaws.cn is in aws-cn"},
		{"aws-us-gov", "https://console.aws.amazon.com/", "the role is in partition aws-us-gov, and console.aws.amazon.com is in aws"},
		{"aws", "https://console.c2shome.ic.gov/", "is in aws-iso"},
		{"aws-iso", "https://console.sc2shome.sgov.gov/", "is in aws-iso-b"},
		{"aws", "http://console.aws.amazon.com/", "begins with https://"},
		{"aws", "console.aws.amazon.com/s3", "begins with https://"},
		{"aws", "//console.aws.amazon.com/s3", "begins with https://"},
		{"aws", "https:console.aws.amazon.com", "begins with https://"},
		{"aws", "javascript:alert(1)", "begins with https://"},
		{"aws", "https://console.aws.amazon.com:8443/", "neither a user nor a port"},
		{"aws", "https://console.aws.amazon.com@evil.example/", "neither a user nor a port"},
		{"aws", "https://evil.example/?https://console.aws.amazon.com/", "evil.example is not a host of the AWS console"},
		{"aws", "https://console.aws.amazon.com.evil.example/", "is not a host of the AWS console"},
		{"aws", "https://evilconsole.aws.amazon.com/", "is not a host of the AWS console"},
		{"aws", "https://evil-aws.amazon.com/", "is not a host of the AWS console"},
		{"aws", `https://evil.example\.console.aws.amazon.com/`, "not an address"},
		{"aws", "https://console.aws.amazon.com/\r\nx", "not an address"},
		{"aws", "https://docs.aws.amazon.com/", "docs.aws.amazon.com is not a host of the AWS console"},
		{"aws", "https://signin.aws.amazon.com/oauth?redirect_uri=x", "is not a host of the AWS console"},
		{"aws", "https://aws.amazon.com/", "is not a host of the AWS console"},
		{"aws-us-gov", "https://health.amazonaws-us-gov.com/", "is not a host of the AWS console"},
	} {
		_, err := Destination(tt.partition, "", tt.address)
		wantUsage(t, tt.address, err, tt.text, "--destination https://")
	}
}

func TestPagesThatAreNotPublished(t *testing.T) {
	for _, what := range []string{"", "s3"} {
		_, err := Destination("aws-iso-b", "us-isob-east-1", what)
		wantUsage(t, what, err, "aws-iso-b are not published", "--destination https://")
	}
}

func TestUnknownService(t *testing.T) {
	for name, hint := range map[string]string{
		"clodwatch":     "try --destination cloudwatch, or give",
		"Cloudformtion": "try --destination cloudformation, or give",
		"lmabda":        "try --destination lambda, or give",
		"s4":            "try --destination s3, or give",
		"qqqqqqqqqqqq":  "give the address of the page: --destination https://",
	} {
		_, err := Destination("aws", "eu-west-1", name)
		wantUsage(t, name, err, "mfad knows no service of that name", hint)
		if !strings.HasPrefix(creds.HintOf(err), hint) {
			t.Errorf("%s: hint %q, want it to begin with %q", name, creds.HintOf(err), hint)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"ec2", "ec2", 0}, {"ec2", "ecs", 1}, {"lmabda", "lambda", 1}, {"kitten", "sitting", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// TestServiceTable holds what every line must keep to.
func TestServiceTable(t *testing.T) {
	all := services()
	if len(all) < 120 {
		t.Errorf("%d services, want at least 120", len(all))
	}
	mainName := func(s service) string { return strings.Fields(s.names)[0] }
	for i, s := range all {
		if i > 0 && mainName(all[i-1]) >= mainName(s) {
			t.Errorf("%q stands after %q, want them sorted", mainName(s), mainName(all[i-1]))
		}
		if strings.HasPrefix(s.path, "/") || s.path == "" || strings.ContainsAny(s.path, " ?{}") {
			t.Errorf("%q: path %q", mainName(s), s.path)
		}
		for _, p := range partitions() {
			if !p.closed {
				checkPages(t, p, s)
			}
		}
	}
}

// checkPages asks for a service by each of its names.
func checkPages(t *testing.T, p partition, s service) {
	t.Helper()
	for _, name := range strings.Fields(s.names) {
		address, err := Destination(p.name, p.home, name)
		if err != nil {
			t.Errorf("%s in %s: %v", name, p.name, err)
			continue
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Errorf("%s in %s: %q is no address: %v", name, p.name, address, err)
			continue
		}
		host, query := p.home+".console."+p.domains[0], "region="+p.home
		if s.global {
			host, query = "console."+p.domains[0], ""
		}
		path, fragment, _ := strings.Cut(s.path, "#")
		if u.Host != host || u.RawQuery != query || u.Path != "/"+path || u.Fragment != fragment {
			t.Errorf("%s in %s: %q, want host %q, query %q, page %q", name, p.name, address, host, query, s.path)
		}
		if again, err := Destination(p.name, p.home, address); again != address || err != nil {
			t.Errorf("%s in %s: its own page is not taken: %v", name, p.name, err)
		}
	}
}

func TestServices(t *testing.T) {
	names := Services()
	if !slices.IsSorted(names) {
		t.Error("the names are not sorted")
	}
	for i, n := range names {
		if n != strings.ToLower(n) || strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("name %q, want lower-case letters, digits and hyphens", n)
		}
		if i > 0 && names[i-1] == n {
			t.Errorf("name %q stands twice", n)
		}
	}
	for _, n := range strings.Fields("s3 ec2 lambda cloudwatch logs iam vpc rds dynamodb cloudformation cfn eks ecs ecr " +
		"route53 r53 sqs sns kms secretsmanager ssm cloudtrail config organizations billing ce support sso stepfunctions " +
		"states apigateway athena glue redshift opensearch elasticache codebuild codepipeline cloudfront waf acm backup") {
		if !slices.Contains(names, n) {
			t.Errorf("%q is missing", n)
		}
	}
}
