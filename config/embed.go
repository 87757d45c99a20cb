// Package config carries the example of a config inside the binary. It holds no code
// and reads nothing from disk.
package config

import "embed"

// Files holds mfad.example.ini, a config with every key in it.
//
//go:embed mfad.example.ini
var Files embed.FS
