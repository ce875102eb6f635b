package agentstest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const (
	// lockFolder holds package.json and package-lock.json. It names the packages of the programs
	// for amd64 themselves: those that choose one for the machine bring a second copy, or need
	// the network when they are installed.
	lockFolder = "testdata/agents"
	// installed is where the agents stay from one run to the next: they have 1 GB.
	installed = "../../.cache/agents"
)

// install installs the agents that the lock file names, unless they are there already.
func install() error {
	want, err := os.ReadFile(filepath.Join(lockFolder, "package-lock.json"))
	if err != nil {
		return err
	}
	done := filepath.Join(installed, "installed.json")
	if have, err := os.ReadFile(done); err == nil && bytes.Equal(have, want) {
		return nil
	}
	if err := os.RemoveAll(installed); err != nil {
		return err
	}
	if err := os.CopyFS(installed, os.DirFS(lockFolder)); err != nil {
		return err
	}
	fmt.Println("installing the agents: 1 GB")
	// Not "npm ci", which follows the lock file just so but, from npm 11 on, wants it to name packages
	// for other systems that the registry does not have.
	command := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	command.Dir = installed
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("install the agents: %w: run make setup if npm is missing\n%s", err, said)
	}
	return os.WriteFile(done, want, 0o644)
}
