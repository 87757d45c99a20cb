package service

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// A file that mfad installs carries a digest of itself. So an unchanged file of any
// version can be replaced without a question, and one that somebody edited is left
// alone. It protects from mistakes, not from anybody.

// sealMark comes before the digest.
const sealMark = "mfad-digest "

// seal puts comments into a text after its first lines: what the file is, and the
// digest of all else. A comment is between open and end.
func seal(text []byte, lines int, open, end string, words ...string) []byte {
	at := 0
	for range lines {
		at += bytes.IndexByte(text[at:], '\n') + 1
	}
	var b bytes.Buffer
	b.Write(text[:at])
	for _, w := range append(words, sealMark) {
		fmt.Fprintf(&b, "%s%s%s\n", open, w, end)
	}
	b.Write(text[at:])
	whole := b.Bytes()
	at = bytes.Index(whole, []byte(sealMark)) + len(sealMark)
	return slices.Concat(whole[:at], []byte(digest(whole)), whole[at:])
}

// genuine tells whether a text is as it was sealed.
func genuine(text []byte) bool {
	at := bytes.Index(text, []byte(sealMark)) + len(sealMark)
	end := at + hex.EncodedLen(sha256.Size)
	if at < len(sealMark) || end > len(text) {
		return false
	}
	return string(text[at:end]) == digest(slices.Concat(text[:at], text[end:]))
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
