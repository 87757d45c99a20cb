package awsapi

import (
	"strings"
	"testing"
)

func TestPageWords(t *testing.T) {
	for _, tt := range []struct{ name, page, want string }{
		{"a servlet container's message", `<html><head><title>Apache Tomcat - Error report</title><style><!-- h1 {color:red} --></style></head>
			<body><h1>HTTP Status 400 - Invalid credentials parameter</h1><hr size="1"><p><b>type</b> Status report</p><p><b>message</b>
			<u>Invalid&nbsp;credentials&#32;parameter</u></p><p><b>description</b> <u>The request sent by the client was syntactically incorrect.</u></p></body></html>`,
			"Invalid credentials parameter"},
		{"a later one's", `<p><b>Message</b> It is &lt;bad&gt; &amp; wrong.</p><p><b>Description</b> The server cannot.</p>`, "It is <bad> & wrong"},
		{"a title", "<HTML><TITLE lang=en>Sign in &amp;\n  go</TITLE><body>more</body>", "Sign in & go"},
		{"neither", "<!doctype html><!-- > not this --><SCRIPT>if (a < b) {}</script ><p>Bad<br>request</p>", "Bad request"},
		{"an empty title", "<title> </title>Bad request.", "Bad request"},
		{"no markup", "Bad request", "Bad request"},
		{"markup without an end", "Bad<script>alert(1)", "Bad"},
		{"a tag without an end", "Bad <b", "Bad"},
		{"a comment without an end", "Bad<!-- x > y", "Bad"},
		{"nothing", "", ""},
		{"too long", strings.Repeat("ä", 400), strings.Repeat("ä", 300) + "..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := pageWords(tt.page); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func FuzzPageWords(f *testing.F) {
	f.Add("<title>x</title><p>message y description z</p>")
	f.Add("<!--<script></style <title")
	f.Fuzz(func(t *testing.T, page string) {
		words := pageWords(page)
		if n := len([]rune(words)); n > longestWords+3 || strings.ContainsAny(words, "\n\r\x1b") {
			t.Errorf("%q became %q of %d characters", page, words, n)
		}
	})
}
