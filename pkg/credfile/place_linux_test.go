package credfile

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mfad/mfad/pkg/creds"
)

// acl is an access control list that lets uid 65534 read, as the kernel stores it
// (acl(5); linux/posix_acl_xattr.h).
func acl() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, ^uint32(0)}, {0x02, 4, 65534}, {0x04, 0, ^uint32(0)}, {0x10, 4, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func TestAttributesAreNotLost(t *testing.T) {
	t.Parallel()
	for name, value := range map[string][]byte{"user.note": []byte("x"), aclAttribute: acl()} {
		f := home(t, "[a]\nx=1\n", "")
		if err := unix.Setxattr(f.Credentials, name, value, 0); err != nil {
			t.Skipf("this file system has no %s: %v", name, err)
		}
		_, err := f.Apply(t.Context(), []Section{prod(1)}, nil)
		if creds.CodeOf(err) != creds.CodeConflict || !strings.Contains(err.Error(), "which a new file would not have") {
			t.Errorf("%s: Apply = %v, want a conflict", name, err)
		}
		same(t, "credentials", content(t, f.Credentials), "[a]\nx=1\n")
	}
}

func TestAFoldersAccessControlListIsNotInherited(t *testing.T) {
	t.Parallel()
	f := home(t, "", "")
	if err := unix.Setxattr(filepath.Dir(f.Credentials), "system.posix_acl_default", acl(), 0); err != nil {
		t.Skip(err)
	}
	apply(t, f, []Section{prod(1)})
	mode(t, f.Credentials, 0o600)
	if got := attributes(f.Credentials); got != nil {
		t.Errorf("the new file has %q, want nothing", got)
	}
	if r := apply(t, f, []Section{prod(2)}); !r.Written {
		t.Error("the second write did not happen")
	}
}
