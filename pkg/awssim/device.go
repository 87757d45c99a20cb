package awssim

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// codeStep is the step of RFC 6238 that AWS uses ("IAM User Guide, Assign a
// virtual MFA device in the AWS Management Console").
const codeStep = 30 * time.Second

// Device is an MFA device of a user. Its fields do not change.
type Device struct {
	// Serial is what SerialNumber takes: an ARN, or the number on the back of a
	// hardware device.
	Serial string
	// Seed is the secret in base32 without padding, as in a QR code; empty for a
	// FIDO device.
	Seed string

	user    *User
	secret  []byte
	fido    bool
	enabled time.Time
	used    map[int64]bool // steps whose code was taken
	handed  int64          // last step that NextCode gave out
}

// AddMFA gives the user a virtual device, arn:aws:iam::ACCOUNT:mfa/NAME; the
// name need not be the user's and may have a path. It panics if the user has
// eight devices or the serial is taken.
func (u *User) AddMFA(name string) *Device {
	return u.addDevice(u.arnOf("mfa/"+name), false)
}

// AddHardwareMFA gives the user a hardware device, whose serial is no ARN. It
// panics as AddMFA does.
func (u *User) AddHardwareMFA(serial string) *Device { return u.addDevice(serial, false) }

// AddFIDO gives the user a FIDO device: ListMFADevices shows it, and no API
// takes it, for it works in the console only ("IAM User Guide, Supported
// configurations for using passkeys and security keys"). It panics as AddMFA
// does.
func (u *User) AddFIDO(name string) *Device {
	return u.addDevice(u.arnOf("u2f/user/"+u.Name+"/"+name+"-"+newID("", 26)), true)
}

func (u *User) arnOf(resource string) string {
	u.sim.lock()
	defer u.sim.mu.Unlock()
	return u.sim.arnLocked("iam", u.Account, resource)
}

func (u *User) addDevice(serial string, fido bool) *Device {
	const most = 8 // "IAM User Guide, Multi-factor authentication"
	s := u.sim
	s.lock()
	defer s.mu.Unlock()
	for _, o := range s.users {
		if o.device(serial) != nil {
			panic("awssim: there is a device " + serial)
		}
	}
	if len(u.devices) >= most {
		panic("awssim: a user has eight devices at most")
	}
	d := &Device{Serial: serial, user: u, fido: fido, enabled: s.nowLocked(), used: make(map[int64]bool)}
	if !fido {
		d.secret = random(20)
		d.Seed = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(d.secret)
	}
	u.devices = append(u.devices, d)
	return d
}

// Remove takes the device from its user; its serial is unknown from then on.
func (d *Device) Remove() {
	d.user.sim.lock()
	defer d.user.sim.mu.Unlock()
	d.user.devices = slices.DeleteFunc(d.user.devices, func(o *Device) bool { return o == d })
}

// Code is what the device shows at t, used or not. AWS judges by its own clock:
// [Sim.Now] gives the t that it takes. A FIDO device has no codes; AWS refuses
// whatever comes with its serial.
func (d *Device) Code(t time.Time) string {
	d.user.sim.lock()
	defer d.user.sim.mu.Unlock()
	return d.codeOf(d.user.sim.stepLocked(t))
}

// NextCode waits, as a person would, until the device shows a code that was
// neither used nor given out by NextCode before, and returns it. The error is
// ctx's.
func (d *Device) NextCode(ctx context.Context) (string, error) {
	for {
		code, wait := d.next()
		if code != "" {
			return code, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", ctx.Err()
		}
	}
}

// next gives the code of the present step, or how long to wait for another.
func (d *Device) next() (code string, wait time.Duration) {
	s := d.user.sim
	s.lock()
	defer s.mu.Unlock()
	now := s.nowLocked()
	step := s.stepLocked(now)
	if d.used[step] || step <= d.handed {
		return "", time.Unix(0, (step+1)*int64(s.stepLengthLocked())).Sub(now)
	}
	d.handed = step
	return d.codeOf(step), 0
}

// WrongCode gives six digits that AWS refuses now and in the next minute.
func (d *Device) WrongCode() string {
	s := d.user.sim
	s.lock()
	defer s.mu.Unlock()
	now := s.stepLocked(s.nowLocked())
	taken := make(map[string]bool)
	for step := now - 1; step <= now+3; step++ {
		taken[d.codeOf(step)] = true
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !taken[code] {
			return code
		}
	}
}

// takeLocked takes code if it belongs to the present step or a neighbour, as
// RFC 6238 section 5.2 recommends (AWS does not tell its window), and was not
// taken before. Each step counts once, whichever API took it.
func (d *Device) takeLocked(code string) bool {
	s := d.user.sim
	now := s.stepLocked(s.nowLocked())
	for step := range d.used {
		if step < now-1 {
			delete(d.used, step)
		}
	}
	for step := now - 1; step <= now+1; step++ {
		if !d.used[step] && d.codeOf(step) == code {
			d.used[step] = true
			return true
		}
	}
	return false
}

// codeOf computes the code of a step: RFC 4226 over a counter of RFC 6238.
func (d *Device) codeOf(step int64) string {
	mac := hmac.New(sha1.New, d.secret)
	_ = binary.Write(mac, binary.BigEndian, step)
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[offset:])&0x7fffffff%1_000_000)
}

func (s *Sim) stepLengthLocked() time.Duration {
	return codeStep / time.Duration(max(s.CodeStepFactor, 1))
}

// stepLocked numbers the step that t lies in, from 1970.
func (s *Sim) stepLocked(t time.Time) int64 {
	return t.UnixNano() / int64(s.stepLengthLocked())
}

// device finds one of the user's devices; nil if the serial is no one's.
func (u *User) device(serial string) *Device {
	for _, d := range u.devices {
		if d.Serial == serial {
			return d
		}
	}
	return nil
}
