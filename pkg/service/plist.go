package service

import (
	"bytes"
	"encoding/xml"
	"path/filepath"
	"strconv"
)

// LaunchdAgent is the property list of a launchd agent that runs program as the
// daemon of the user whose folder is home, with that PATH (launchd.plist(5)). Empty:
// launchd's own, which has no folder of Homebrew's. The agent makes its socket
// itself: what launchd opens can be received through its C library only.
func LaunchdAgent(program, home, path string) []byte {
	log := launchdLog(home)
	agent := dict{
		{"Label", Name},
		{"ProgramArguments", []string{program, "daemon"}},
		{"RunAtLoad", true},
		// It is started again unless it ended as it was told to.
		{"KeepAlive", dict{{"SuccessfulExit", false}}},
		{"StandardOutPath", log},
		{"StandardErrorPath", log},
		{"WorkingDirectory", "/"},
		{"Umask", 0o077},
		{"SoftResourceLimits", dict{{"Core", 0}}},
		{"HardResourceLimits", dict{{"Core", 0}}},
	}
	if path != "" {
		agent = append(agent, entry{"EnvironmentVariables", dict{{"PATH", path}}})
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString(plistType + "\n")
	e := xml.NewEncoder(&b)
	e.Indent("", "\t")
	start := xml.StartElement{Name: xml.Name{Local: "plist"}, Attr: []xml.Attr{{Name: xml.Name{Local: "version"}, Value: "1.0"}}}
	encode(e, start)
	encodeValue(e, agent)
	encode(e, start.End())
	_ = e.Close() // a buffer takes everything
	b.WriteByte('\n')
	return b.Bytes()
}

const plistType = `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">`

// launchdLog is where the agent's daemon writes what it says.
func launchdLog(home string) string {
	return filepath.Join(home, "Library", "Logs", Name, Name+".log")
}

// dict is a dictionary that keeps its order.
type dict []entry

type entry struct {
	key   string
	value any // string, bool, int, []string or dict
}

// encode writes one token to a buffer, which takes everything that is well-formed.
func encode(e *xml.Encoder, t xml.Token) { _ = e.EncodeToken(t) }

func encodeText(e *xml.Encoder, element, text string) {
	start := xml.StartElement{Name: xml.Name{Local: element}}
	encode(e, start)
	if text != "" {
		encode(e, xml.CharData(text))
	}
	encode(e, start.End())
}

func encodeValue(e *xml.Encoder, value any) {
	switch v := value.(type) {
	case string:
		encodeText(e, "string", v)
	case int:
		encodeText(e, "integer", strconv.Itoa(v))
	case bool:
		encodeText(e, strconv.FormatBool(v), "")
	case []string:
		start := xml.StartElement{Name: xml.Name{Local: "array"}}
		encode(e, start)
		for _, s := range v {
			encodeValue(e, s)
		}
		encode(e, start.End())
	case dict:
		start := xml.StartElement{Name: xml.Name{Local: "dict"}}
		encode(e, start)
		for _, item := range v {
			encodeText(e, "key", item.key)
			encodeValue(e, item.value)
		}
		encode(e, start.End())
	}
}

// AgentProgram is the program that a property list starts: the first of its
// ProgramArguments, or its Program; empty where there is none.
func AgentProgram(text []byte) string {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict = false
	key := ""
	for {
		token, err := d.Token()
		if err != nil { // its end, or a file that is none
			return ""
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "key" && start.Name.Local != "string" {
			continue
		}
		var value string
		if err := d.DecodeElement(&value, &start); err != nil {
			return ""
		}
		switch {
		case start.Name.Local == "key":
			key = value
		case key == "ProgramArguments" || key == "Program":
			return value
		}
	}
}
