// Command mfad keeps AWS credentials fresh that are protected by MFA: one token
// code, and every profile is fresh for as long as AWS allows. See README.md.
package main

import (
	"os"

	"github.com/mfad/mfad/pkg/cli"
	_ "github.com/mfad/mfad/pkg/fastpath" // answers credential-process before anything else is initialised
)

func main() { os.Exit(cli.MainAs(os.Args[0])) }
