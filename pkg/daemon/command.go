package daemon

import (
	"os"
	"path/filepath"
)

// CommandPath gives the absolute path by which self is found in PATH, with no
// link resolved: a path in a package's own store would be gone after an upgrade.
// It is self where PATH has no such file.
func CommandPath(path, self string) string {
	want, err := os.Stat(self)
	if err != nil {
		return self
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		candidate := filepath.Join(dir, filepath.Base(self))
		if info, err := os.Stat(candidate); err == nil && os.SameFile(info, want) {
			return candidate
		}
	}
	return self
}
