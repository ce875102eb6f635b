// Command lint-app prints the mistakes in marketplace files, and fails if there are any.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/lint"
)

const usage = "usage: lint-app FILE...\n" +
	"FILE is a list or an entry of a marketplace in JSON, <uuid>.yaml or metadata.yaml of a\n" +
	"marketplace's repository, or a VM template in plain syntax."

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns 0 if there are no mistakes, 1 if there are, and 2 if a file could not be
// checked.
func run(files []string, out, errs io.Writer) int {
	switch {
	case len(files) == 0:
		fmt.Fprint(errs, "lint-app: name a file\nsee lint-app -h\n")
		return 2
	case slices.Contains([]string{"-h", "-help", "--help"}, files[0]):
		fmt.Fprintln(out, usage)
		return 0
	}
	status := 0
	for _, file := range files {
		status = max(status, lintFile(file, out, errs))
	}
	return status
}

func lintFile(file string, out, errs io.Writer) int {
	content, err := os.ReadFile(file)
	var result lint.Result
	if err == nil {
		result, err = lint.Examine(file, content)
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		return 2
	}
	for _, f := range result.Findings {
		fmt.Fprintln(out, f)
	}
	if len(result.Findings) > 0 {
		return 1
	}
	fmt.Fprintf(out, "no mistakes in %s; looked at: apps %d, VM templates %d, user inputs %d\n", file, result.Apps, result.Templates, result.Inputs)
	return 0
}
