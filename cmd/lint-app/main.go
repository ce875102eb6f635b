// Command lint-app prints the mistakes in files of a
// marketplace, and fails if there are any.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/applint"
)

const usage = "usage: lint-app FILE...\n" +
	"FILE is a list or an entry of a marketplace in JSON, <uuid>.yaml or metadata.yaml of a\n" +
	"marketplace's repository, or a VM template in plain syntax."

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns 0 if there are no mistakes, 1 if there are, 2 if a file could not be judged.
func run(files []string, out, errs io.Writer) int {
	if len(files) == 0 {
		fmt.Fprintln(errs, usage)
		return 2
	}
	status := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		var findings []applint.Finding
		if err == nil {
			findings, err = applint.Lint(file, content)
		}
		if err != nil {
			fmt.Fprintln(errs, err)
			status = 2
		}
		for _, f := range findings {
			fmt.Fprintln(out, f)
			status = max(status, 1)
		}
	}
	return status
}
