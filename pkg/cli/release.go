package cli

// release is the version of a package of mfad's, which the linker sets
// (scripts/building). Empty: it was built with go install, or in the tree.
var release string
