package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// screen is what shows the keyring's questions to a person, in the place of
// gcr-prompter, which needs a display. It speaks gcr's own protocol
// (gcr-dbus-constants.h, gcr-secret-exchange.c).
type screen struct {
	t     *testing.T
	conn  *dbus.Conn
	shown chan question // gets each window that opens
	gone  chan struct{} // gets one for each window that closes
}

// question is a window that asks for the keyring's password.
type question struct {
	s        *screen
	to       string
	callback dbus.ObjectPath
	exchange string
}

// newScreen puts a screen on the desktop's bus.
func (d *desktop) newScreen() *screen {
	d.t.Helper()
	s := &screen{t: d.t, conn: d.connect(), shown: make(chan question, 10), gone: make(chan struct{}, 10)}
	if reply, err := s.conn.RequestName(prompterName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		d.t.Fatalf("RequestName = %v, %v", reply, err)
	}
	// Not by Export: the answer to BeginPrompting must come before PromptReady.
	calls := make(chan *dbus.Message, 100)
	s.conn.Eavesdrop(calls)
	go s.work(calls)
	return s
}

// work ends with the connection.
func (s *screen) work(calls <-chan *dbus.Message) {
	for m := range calls {
		from, _ := m.Headers[dbus.FieldSender].Value().(string)
		if m.Type != dbus.TypeMethodCall || len(m.Body) == 0 {
			continue
		}
		s.conn.Send(&dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(from), dbus.FieldReplySerial: dbus.MakeVariant(m.Serial()),
		}}, nil)
		callback, _ := m.Body[0].(dbus.ObjectPath)
		q := question{s: s, to: from, callback: callback}
		switch m.Headers[dbus.FieldMember].Value() {
		case "BeginPrompting":
			q.ready("", "")
		case "PerformPrompt":
			q.exchange, _ = m.Body[len(m.Body)-1].(string)
			s.shown <- q
		case "StopPrompting":
			s.gone <- struct{}{}
		}
	}
}

func (q question) ready(reply, exchange string) {
	q.s.conn.Object(q.to, q.callback).Go("org.gnome.keyring.internal.Prompter.Callback.PromptReady", dbus.FlagNoReplyExpected, nil,
		reply, map[string]dbus.Variant{}, exchange)
}

// cancel presses the window's button.
func (q question) cancel() { q.ready("no", "") }

// modp1536 is the group of gcr's exchange: RFC 2409's and RFC 3526's group 5.
const modp1536 = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
	"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA237327FFFFFFFFFFFFFFFF"

// answers types a password, which goes to the keyring encrypted.
func (q question) answers(password string) {
	q.s.t.Helper()
	match := regexp.MustCompile(`(?m)^public=(.*)$`).FindStringSubmatch(q.exchange)
	if match == nil {
		q.s.t.Fatalf("the keyring began no exchange: %q", q.exchange)
	}
	theirs, err := base64.StdEncoding.DecodeString(strings.TrimSpace(match[1]))
	if err != nil {
		q.s.t.Fatal(err)
	}
	p, _ := new(big.Int).SetString(modp1536, 16)
	mine := new(big.Int).SetBytes([]byte("any number does for a test of ours"))
	shared := new(big.Int).Exp(new(big.Int).SetBytes(theirs), mine, p).FillBytes(make([]byte, 192))
	key, err := hkdf.Key(sha256.New, shared, nil, "", aes.BlockSize)
	if err != nil {
		q.s.t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		q.s.t.Fatal(err)
	}
	pad := aes.BlockSize - len(password)%aes.BlockSize
	text := append([]byte(password), bytes.Repeat([]byte{byte(pad)}, pad)...)
	iv := make([]byte, aes.BlockSize)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(text, text)
	encode := base64.StdEncoding.EncodeToString
	q.ready("yes", "[sx-aes-1]\npublic="+encode(new(big.Int).Exp(big.NewInt(2), mine, p).Bytes())+
		"\nsecret="+encode(text)+"\niv="+encode(iv)+"\n")
}
