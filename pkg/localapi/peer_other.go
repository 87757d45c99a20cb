//go:build !linux && !darwin

package localapi

import "net"

// ours trusts the folder that the socket is in: there is no peer to ask for.
func ours(net.Conn) (bool, error) { return true, nil }
