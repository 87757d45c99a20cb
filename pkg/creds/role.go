package creds

import "time"

// Role is what an AssumeRole call asks for, in STS's own terms
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html).
type Role struct {
	ARN            string
	SessionName    string        // 2 to 64 characters
	Duration       time.Duration // 15m to 12h; zero leaves it to the caller
	ExternalID     string
	SourceIdentity string
	Tags           []Tag
	TransitiveTags []string
	PolicyARNs     []string
	Policy         string // JSON
}

// Tag is one session tag.
type Tag struct{ Key, Value string }
