package lockfile

import _ "embed"

// The sources of this file, none of which was downloaded for it: names of files and
// repositories are from the publishers' download pages, LocalAI's release and CI, and
// one-apps' generate.sh; digests and sizes of Ubuntu 24.04 and of the model are from several
// unrelated public repositories that pin the same file and agree. Debian, Ubuntu 22.04 and 26.04
// have the URL of the latest build, whose content changes. An entry has no digest if none of these
// sources states it.
//
//go:embed default.lock.hcl
var defaultFile []byte

// Default returns the lock embedded in the plugin: the versions this release was made for.
// `make lock` asks the publishers for missing digests and checks the existing ones.
func Default() Lock {
	lock, err := Parse("default.lock.hcl", defaultFile)
	if err != nil {
		panic(err) // A test reads the file.
	}
	return lock
}
