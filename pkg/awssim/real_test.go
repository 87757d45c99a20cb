package awssim_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/mfad/mfad/pkg/awssim"
)

// program runs another maker's client against w, with nothing of this machine's
// AWS configuration.
func (w *world) program(t *testing.T, c aws.Credentials, name string, args ...string) (stdout string, stderr string, err error) {
	t.Helper()
	empty := t.TempDir()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + empty, "AWS_ENDPOINT_URL=" + w.URL, "AWS_DEFAULT_REGION=eu-west-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=",
		"AWS_CONFIG_FILE=" + filepath.Join(empty, "config"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(empty, "credentials"),
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey,
	}
	if c.SessionToken != "" {
		cmd.Env = append(cmd.Env, "AWS_SESSION_TOKEN="+c.SessionToken)
	}
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err = cmd.Run()
	return out.String(), log.String(), err
}

// jsonCredentials reads what the AWS CLI prints.
func jsonCredentials(t *testing.T, text string) (aws.Credentials, time.Time) {
	t.Helper()
	var v struct {
		Credentials struct {
			AccessKeyID     string `json:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      time.Time
		}
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil || v.Credentials.AccessKeyID == "" {
		t.Fatalf("no credentials in the answer: %v", err)
	}
	c := v.Credentials
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, c.Expiration
}

func TestAWSCLI(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("SKIP-REAL aws-cli: no aws in PATH")
	}
	w := newWorld(t, awssim.Start())
	w.AddRole(awssim.Role{Account: home, Name: "Near", Description: "a <role> & more", MaxSessionDuration: 8 * time.Hour})
	w.alice.Allow("iam:GetRole")
	must := func(c aws.Credentials, args ...string) string {
		t.Helper()
		out, log, err := w.program(t, c, "aws", args...)
		if err != nil {
			t.Fatalf("aws %s %s: %v\n%s", args[0], args[1], err, log)
		}
		return out
	}
	code := w.code(t, w.phone)
	login := []string{"sts", "get-session-token", "--serial-number", w.phone.Serial, "--token-code", code, "--duration-seconds", "129600"}
	session, ends := jsonCredentials(t, must(key(w.alice), login...))
	if left := time.Until(ends); left < 35*time.Hour || left > 36*time.Hour {
		t.Errorf("the session lasts %v, want 36h", left)
	}
	if _, log, err := w.program(t, key(w.alice), "aws", login...); err == nil || !strings.Contains(log, "(AccessDenied) when calling the GetSessionToken operation: "+strings.TrimSpace(badCode)) {
		t.Errorf("the same code again: %v\n%s", err, log)
	}
	role, _ := jsonCredentials(t, must(session, "sts", "assume-role", "--role-arn", w.admin.ARN, "--role-session-name", "alice"))
	if out := must(role, "sts", "get-caller-identity"); !strings.Contains(out, "arn:aws:sts::222222222222:assumed-role/Admin/alice") {
		t.Errorf("get-caller-identity: %s", out)
	}
	if out := must(session, "iam", "list-mfa-devices"); !strings.Contains(out, w.phone.Serial) {
		t.Errorf("list-mfa-devices: %s", out)
	}
	if out := must(session, "iam", "get-role", "--role-name", "Near"); !regexp.MustCompile(`"MaxSessionDuration": 28800\b`).MatchString(out) || !strings.Contains(out, "a <role> & more") {
		t.Errorf("get-role: %s", out)
	}
	if _, log, err := w.program(t, session, "aws", "sts", "assume-role", "--role-arn", w.admin.ARN, "--role-session-name", "alice", "--duration-seconds", "7200"); err == nil || !strings.Contains(log, chainLong) {
		t.Errorf("two hours through a session: %v\n%s", err, log)
	}
}

// script is what a user's own program does with boto3.
const script = `
import boto3, botocore, json, sys
serial, code, role = sys.argv[1:]
sts = boto3.client("sts")
s = sts.get_session_token(SerialNumber=serial, TokenCode=code)["Credentials"]
kw = dict(aws_access_key_id=s["AccessKeyId"], aws_secret_access_key=s["SecretAccessKey"], aws_session_token=s["SessionToken"])
a = boto3.client("sts", **kw).assume_role(RoleArn=role, RoleSessionName="boto", Tags=[{"Key": "a b", "Value": "ü/+"}])
devices = [d["SerialNumber"] for d in boto3.client("iam", **kw).list_mfa_devices()["MFADevices"]]
try:
    sts.get_session_token(SerialNumber=serial, TokenCode=code)
except botocore.exceptions.ClientError as e:
    again = e.response
print(json.dumps({"arn": a["AssumedRoleUser"]["Arn"], "year": s["Expiration"].year, "devices": devices,
    "code": again["Error"]["Code"], "status": again["ResponseMetadata"]["HTTPStatusCode"], "id": again["ResponseMetadata"]["RequestId"]}))
`

func TestBoto3(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3").Run(); err != nil {
		t.Skip("SKIP-REAL boto3: python3 cannot import it")
	}
	w := newWorld(t, awssim.Start())
	out, log, err := w.program(t, key(w.alice), "python3", "-c", script, w.phone.Serial, w.code(t, w.phone), w.admin.ARN)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	var got struct {
		ARN      string
		Year     int
		Devices  []string
		Code, ID string
		Status   int
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.ARN != "arn:aws:sts::222222222222:assumed-role/Admin/boto" || got.Year < 2024 || len(got.Devices) != 1 ||
		got.Code != "AccessDenied" || got.Status != 403 || got.ID == "" {
		t.Errorf("got %+v", got)
	}
}
