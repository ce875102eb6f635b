package lockfile

import _ "embed"

// The names of files and repositories were read in public places: the publishers' download
// pages, LocalAI's release and CI, one-apps' generate.sh, repositories that download the same
// model. No digest was: none may stand in the file that its publisher does not show.
//
//go:embed default.lock.hcl
var defaultFile []byte

// Default is the lock embedded in the plugin: the versions this release was made for. Where
// it has no digest, `make lock` asks the publisher for it.
func Default() Lock {
	lock, err := Parse("default.lock.hcl", defaultFile)
	if err != nil {
		panic(err) // A test reads the file.
	}
	return lock
}
