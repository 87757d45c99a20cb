package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	const (
		mit    = "MIT License\n\nPermission is hereby granted, free of charge, to any person\nobtaining a copy of this software"
		apache = "   Apache License\n   Version 2.0, January 2004"
		bsd2   = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted provided that"
		bsd3   = bsd2 + "\n * Neither the name of Google LLC nor the names of its\n # contributors may be used to endorse or promote products derived from\n# this software without specific prior written permission."
	)
	for _, tt := range []struct{ name, texts, want string }{
		{"MIT", mit, "MIT"},
		{"Apache", apache, "Apache-2.0"},
		{"BSD without the third clause", bsd2, "BSD-2-Clause"},
		{"BSD with it, in comment signs", bsd3, "BSD-3-Clause"},
		{"two", mit + "\n" + bsd3, "MIT AND BSD-3-Clause"},
		{"another one", "All rights reserved.", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := identify(tt.texts); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLegal(t *testing.T) {
	dir := t.TempDir()
	if text, err := legal(dir); err == nil {
		t.Errorf("a module without a licence may be given away: %q", text)
	}
	for name, text := range map[string]string{"LICENSE.txt": "licence\r\n", "NOTICE": "notice\n", "licensing.go": "package code", "README": "read"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := legal(dir); err != nil || got != "licence\n\nnotice" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestNotices name all modules, and give each text once.
func TestNotices(t *testing.T) {
	p := &program{modules: []module{{path: "std", version: "1.26.8", texts: "free"}, {path: "a.org/a", version: "v1", texts: "also free"}, {path: "a.org/b", version: "v2", texts: "free"}}}
	got := string(p.notices())
	for _, want := range []string{"The Go standard library 1.26.8\na.org/b v2\n", "\na.org/a v1\n", "\nalso free\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\nfree\n"); n != 1 {
		t.Errorf("a text is there %d times", n)
	}
}
