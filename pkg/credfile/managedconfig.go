package credfile

import (
	"context"
	"slices"
)

// ManagedConfig names the profiles of the AWS config file that have lines of
// mfad's, sorted. A file that botocore refuses has none that could be changed.
// Errors are those of the file system.
func (f *Files) ManagedConfig(ctx context.Context) ([]string, error) {
	d, err := f.peek(ctx, f.Config)
	if err != nil || d.refused != nil {
		return nil, err
	}
	var names []string
	for name, sections := range d.profiles {
		if slices.ContainsFunc(sections, func(i int) bool { return len(d.addedKeys(i)) > 0 }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
