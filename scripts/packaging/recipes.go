package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"text/template"
)

//go:embed mfad.rb.tmpl
var formula string

//go:embed mfad.nix.tmpl
var expression string

// writeRecipes writes the Homebrew formula and the Nix expression, which fetch the
// archives of four systems; where not all were made, none.
func (r *release) writeRecipes(archives map[target]string) error {
	type source struct{ URL, SHA256, SRI string }
	sources := map[string]source{}
	for _, name := range allTargets()[:4] {
		parsed, err := parseTargets(name)
		if err != nil {
			return err
		}
		sum, ok := archives[parsed[0]]
		if !ok {
			return nil
		}
		raw, err := hex.DecodeString(sum)
		if err != nil {
			return err
		}
		archive, _ := r.archiveName(parsed[0])
		sources[parsed[0].os+"_"+parsed[0].arch] = source{r.url + "/" + archive, sum, "sha256-" + base64.StdEncoding.EncodeToString(raw)}
	}
	for name, text := range map[string]string{"mfad.rb": formula, "mfad.nix": expression} {
		recipe, err := template.New(name).Option("missingkey=error").Parse(text)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := recipe.Execute(&b, map[string]any{"Version": r.version, "Home": home, "Sources": sources}); err != nil {
			return err
		}
		if err := r.write(name, b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
