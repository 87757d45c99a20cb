// Package config carries the files that mfad installs or shows, inside the
// binary. It holds no code and reads nothing from disk.
package config

import "embed"

// Files holds mfad.example.ini, a config with every key in it, and the service
// templates mfad.service (systemd) and mfad.plist (launchd).
//
//go:embed mfad.example.ini mfad.service mfad.plist
var Files embed.FS
