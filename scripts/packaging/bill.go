package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The bill of materials is of CycloneDX's kind, version 1.6
// (https://cyclonedx.org/docs/1.6/json/): what is in a program, read from the program.

type bill struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     billMetadata `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type billMetadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Ref        string     `json:"bom-ref"`
	Type       string     `json:"type"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Scope      string     `json:"scope,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licenses   []license  `json:"licenses,omitempty"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// license is an identifier of SPDX's, or an expression of several.
type license struct {
	License    *licenseID `json:"license,omitempty"`
	Expression string     `json:"expression,omitempty"`
}

type licenseID struct {
	ID string `json:"id"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// writeBill writes the bill of a system's program.
func (r *release) writeBill(t target, p *program) error {
	b, err := r.bill(t, p)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(b); err != nil {
		return err
	}
	return r.write(fmt.Sprintf("mfad_%s_%s_%s.cdx.json", r.version, t.os, t.arch), text.Bytes())
}

func (r *release) bill(t target, p *program) (*bill, error) {
	sum := digest(p.data)
	self := component{Ref: purl(p.info.Main.Path, "v"+r.version) + "?goarch=" + t.arch + "&goos=" + t.os, Type: "application", Name: "mfad",
		Version: r.version, Hashes: []hash{{"SHA-256", sum}}, Licenses: licensed("MIT")}
	self.PURL = self.Ref
	for _, s := range p.info.Settings {
		switch s.Key { // https://github.com/CycloneDX/cyclonedx-property-taxonomy
		case "GOOS", "GOARCH", "CGO_ENABLED":
			self.Properties = append(self.Properties, property{"cdx:gomod:build:env:" + s.Key, s.Value})
		case "-tags":
			self.Properties = append(self.Properties, property{"cdx:gomod:build:tag", s.Value})
		}
	}
	b := &bill{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", SerialNumber: serial(sum), Version: 1,
		Metadata: billMetadata{Timestamp: r.date.Format(time.RFC3339), Component: self}}
	uses := dependency{Ref: self.Ref}
	for _, m := range p.modules {
		c, err := m.component()
		if err != nil {
			return nil, err
		}
		b.Components = append(b.Components, c)
		uses.DependsOn = append(uses.DependsOn, c.Ref)
	}
	b.Dependencies = []dependency{uses}
	return b, nil
}

// component tells of a module what is known. Its hash is go.sum's, over the names
// and hashes of its files (golang.org/x/mod/sumdb/dirhash), as the field's tools give
// it; the library of Go has none.
func (m module) component() (component, error) {
	c := component{Ref: purl(m.path, m.version), Type: "library", Name: m.path, Version: m.version, Scope: "required", Licenses: licensed(m.licence)}
	c.PURL = c.Ref
	sum, ok := strings.CutPrefix(m.sum, "h1:")
	if !ok {
		return c, nil
	}
	raw, err := base64.StdEncoding.DecodeString(sum)
	if err != nil {
		return c, fmt.Errorf("the sum of %s: %w", m.path, err)
	}
	c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
	return c, nil
}

// purl is a package URL (https://github.com/package-url/purl-spec). A plus would be a
// blank in it.
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

func licensed(id string) []license {
	switch {
	case id == "":
		return nil
	case strings.Contains(id, " "):
		return []license{{Expression: id}}
	}
	return []license{{License: &licenseID{id}}}
}

// serial is a UUID of the bill's own that is the same each time (RFC 9562, version 8).
func serial(sum string) string {
	d := []byte(sum[:32])
	d[12] = '8'
	d[16] = "89ab"[d[16]&3]
	return fmt.Sprintf("urn:uuid:%s-%s-%s-%s-%s", d[:8], d[8:12], d[12:16], d[16:20], d[20:])
}
