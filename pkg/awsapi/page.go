package awsapi

import (
	"html"
	"strings"
)

// longestWords bounds what is kept of a page, in characters.
const longestWords = 300

// pageWords gives what an error page says: the message of a servlet container's
// page, else its title, else its beginning, as one line of plain text.
func pageWords(page string) string {
	title, body := cutTitle(page)
	words := plainText(title)
	if words == "" {
		words = plainText(body)
	}
	if message := message(plainText(body)); message != "" {
		words = message
	}
	words = strings.TrimSuffix(words, ".")
	if runes := []rune(words); len(runes) > longestWords {
		words = string(runes[:longestWords]) + "..."
	}
	return words
}

// message is what stands between the two headings of a servlet container's page.
func message(text string) string {
	for _, w := range [][2]string{{"message ", " description "}, {"Message ", " Description "}} {
		_, rest, _ := strings.Cut(text, w[0])
		if words, _, found := strings.Cut(rest, w[1]); found {
			return words
		}
	}
	return ""
}

// cutTitle takes the title out of a page.
func cutTitle(page string) (title, body string) {
	before, rest := cutFold(page, "<title")
	_, rest, _ = strings.Cut(rest, ">")
	title, after := cutFold(rest, "</title")
	_, after, _ = strings.Cut(after, ">")
	return title, before + after
}

// plainText takes the markup out of a page. It need not understand HTML, for
// nothing but a person reads what it leaves.
func plainText(page string) string {
	var b strings.Builder
	for {
		text, markup, found := strings.Cut(page, "<")
		b.WriteString(text)
		if !found {
			return oneLine(html.UnescapeString(b.String()))
		}
		b.WriteByte(' ')
		page = afterMarkup(markup)
	}
}

// afterMarkup gives what follows the tag, comment or script whose "<" was just
// read; nothing if it has no end.
func afterMarkup(s string) string {
	for _, m := range [][2]string{{"!--", "-->"}, {"script", "</script"}, {"style", "</style"}} {
		if len(s) >= len(m[0]) && strings.EqualFold(s[:len(m[0])], m[0]) {
			_, s = cutFold(s, m[1])
			if m[1] == "-->" {
				return s
			}
			break
		}
	}
	_, s, _ = strings.Cut(s, ">")
	return s
}

// cutFold is strings.Cut in any case, without telling whether sep was found.
func cutFold(s, sep string) (before, after string) {
	for i := 0; i+len(sep) <= len(s); i++ {
		if s[i] == sep[0] && strings.EqualFold(s[i:i+len(sep)], sep) {
			return s[:i], s[i+len(sep):]
		}
	}
	return s, ""
}
