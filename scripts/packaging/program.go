package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// program is mfad as it was built for a system.
type program struct {
	data    []byte
	info    *buildinfo.BuildInfo
	modules []module // that are in it, Go's own library first
}

// module is one that others wrote.
type module struct {
	path, version string
	sum           string // as in go.sum; empty: Go's own library
	licence       string // by its SPDX identifier; empty: not known
	texts         string // its licence, and the notices that go with it
}

// open reads what Go writes into each program that it builds.
func open(ctx context.Context, path string) (*program, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	library, err := goLibrary(ctx, info.GoVersion)
	if err != nil {
		return nil, err
	}
	p := &program{data: data, info: info, modules: []module{library}}
	dirs, err := folders(ctx, info)
	if err != nil {
		return nil, err
	}
	for i, dep := range info.Deps {
		m := module{path: dep.Path, version: dep.Version, sum: dep.Sum}
		if m.texts, err = legal(dirs[i]); err != nil {
			return nil, err
		}
		m.licence = identify(m.texts)
		p.modules = append(p.modules, m)
	}
	return p, nil
}

// goLibrary is the part of Go itself that is in every program.
func goLibrary(ctx context.Context, version string) (module, error) {
	m := module{path: "std", version: strings.TrimPrefix(version, "go")}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return m, fmt.Errorf("go env: %w", said(err))
	}
	m.texts, err = legal(strings.TrimSpace(string(root)))
	m.licence = identify(m.texts)
	return m, err
}

// folders are where the sources of a program's modules lie.
func folders(ctx context.Context, info *buildinfo.BuildInfo) ([]string, error) {
	args := []string{"list", "-m", "-f", "{{.Dir}}"}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			return nil, fmt.Errorf("%s is replaced: a release is built of what is published", dep.Path)
		}
		args = append(args, dep.Path)
	}
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", said(err))
	}
	dirs := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(dirs) != len(info.Deps) || slices.Contains(dirs, "") {
		return nil, fmt.Errorf("go list tells %d folders of %d modules", len(dirs), len(info.Deps))
	}
	return dirs, nil
}

// legalName matches the files whose text has to go with a program.
var legalName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([._-].*)?$`)

// legal reads them, in order.
func legal(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var all []string
	for _, e := range entries {
		if !e.Type().IsRegular() || !legalName.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		all = append(all, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
	}
	if len(all) == 0 {
		return "", fmt.Errorf("%s has no licence: what may be given away?", dir)
	}
	return strings.Join(all, "\n\n"), nil
}

// licences are told by words that stand in one of them alone, those first that
// contain another's.
var licences = []struct{ id, words string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"MPL-2.0", "Mozilla Public License Version 2.0"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"BSD-3-Clause", "may be used to endorse or promote products derived from this software without specific prior written permission"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms, with or without modification, are permitted"},
}

// identify gives the SPDX identifier of a licence; empty where it is another one
// than those, which are all that mfad's modules have. A file of several gives all of
// them as an SPDX expression.
func identify(texts string) string {
	flat := strings.ToLower(strings.Join(strings.FieldsFunc(texts, func(c rune) bool { return strings.ContainsRune(" \t\n,#*", c) }), " "))
	var found []string
	for _, l := range licences {
		words := strings.ToLower(strings.ReplaceAll(l.words, ",", ""))
		if strings.Contains(flat, words) && !(l.id == "BSD-2-Clause" && slices.Contains(found, "BSD-3-Clause")) {
			found = append(found, l.id)
		}
	}
	return strings.Join(found, " AND ")
}

// notices is one text of all licences. Modules that share one are named together.
func (p *program) notices() []byte {
	var b strings.Builder
	b.WriteString("mfad is under the MIT licence. In the program there are also parts of what follows,\neach with its licence.\n")
	done := map[string]bool{}
	for _, m := range p.modules {
		if done[m.texts] {
			continue
		}
		done[m.texts] = true
		b.WriteString("\n" + strings.Repeat("=", 80) + "\n")
		for _, same := range p.modules {
			if same.texts == m.texts {
				fmt.Fprintf(&b, "%s %s\n", same.name(), same.version)
			}
		}
		b.WriteString(strings.Repeat("-", 80) + "\n" + m.texts + "\n")
	}
	return []byte(b.String())
}

func (m module) name() string {
	if m.path == "std" {
		return "The Go standard library"
	}
	return m.path
}
