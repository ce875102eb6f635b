package lockfile

import _ "embed"

// Where this was read, none of it by downloading: the names of files and repositories on the
// publishers' download pages, in LocalAI's release and CI, and in one-apps' generate.sh; the
// digests and sizes of Ubuntu 24.04 and of the model in public repositories that pin the same
// file, several unrelated ones agreeing on each. Debian and Ubuntu 22.04 stand here under the
// address that moves with every build of theirs. What has no digest was shown by nobody.
//
//go:embed default.lock.hcl
var defaultFile []byte

// Default is the lock embedded in the plugin: the versions this release was made for. Where
// it has no digest, `make lock` asks the publisher for it, and checks those it has.
func Default() Lock {
	lock, err := Parse("default.lock.hcl", defaultFile)
	if err != nil {
		panic(err) // A test reads the file.
	}
	return lock
}
