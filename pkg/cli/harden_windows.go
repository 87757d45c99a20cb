package cli

// harden does nothing: Windows dumps a process's memory where an administrator has set
// it to (Windows Error Reporting, "Collecting User-Mode Dumps").
func harden() {}

// conceal does nothing where a process cannot close itself to others.
func conceal() {}
