package credfile

import (
	"context"
	"slices"
)

// ManagedConfig names the profiles of the AWS config file that have lines of
// mfad's, sorted. Errors are those of [Files.Managed].
func (f *Files) ManagedConfig(ctx context.Context) ([]string, error) {
	d, err := f.peek(ctx, f.Config)
	if err != nil {
		return nil, err
	}
	if d.refused != nil {
		return nil, d.refused
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
