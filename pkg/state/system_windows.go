package state

import "os"

// A profile's folder is closed to other users by its ACL, not by a mode.
const modesMatter = false

func userID() string { return "" }

func ownedByUser(os.FileInfo) error { return nil }
