#!/bin/sh
# Installs what a level needs on a Debian or Ubuntu machine, and nothing that is there
# already: Debian's packages, with sudo when not root, and a Go that can build this.
#
# usage: setup.sh [doctor] build|shell|demo|test    (at the top of the repository, by make)
#
# Each level holds those before it: what the target of its name needs. With
# doctor nothing is installed: one line for each thing that is looked at, and exit status 1
# if one of them is in the way.
set -eu

. internal/tools/host.sh

say() { echo "setup: $*"; }
die() {
	echo "setup: $*" >&2
	exit 1
}

# doctor shows all that is looked at.
doctor() {
	echo "make $1 on this machine:"
	healthy=yes
	for name in $checks; do
		status=0
		found=$("check_$name" "$1") || status=$?
		case $status in
		0) mark=✓ ;;
		1) mark=✗ healthy=no ;;
		*) mark=- ;;
		esac
		printf '  %s %-15s %s\n' "$mark" "$name" "$found"
	done
	[ $healthy = yes ] || die "what is marked ✗ is in the way of make $1"
	echo "make $1 can run here."
}

# refuse ends setup if it would fail later, with everything that is in its way.
refuse() {
	wrong=
	for name in $checks; do
		status=0
		found=$("check_$name" "$1") || status=$?
		[ $status != 1 ] || wrong="$wrong
  $name: $found"
	done
	[ -z "$wrong" ] || die "make $1 cannot run here:$wrong"
}

# install is one command as root, for its status: sudo has a terminal of its own, and Ctrl-C
# there does not reach this script.
install() {
	if [ "$(id -u)" = 0 ]; then
		sh internal/tools/install.sh "$@"
	else
		sudo sh internal/tools/install.sh "$@"
	fi || exit $?
}

# shellcheck disable=SC2086 # a list of packages is one word per package
install_packages() {
	packages=$(missing "$1" debian)
	[ -n "$packages" ] || return 0
	install $packages
	# New lists may tell of packages that nobody could know of before.
	packages=$(missing "$1" debian)
	[ -n "$packages" ] || return 0
	install $packages
	packages=$(missing "$1" debian)
	[ -z "$packages" ] || die "still missing after the installation:" $packages
}

# settle_go makes the go command of .tools/bin the toolchain that go.mod asks for. A Go
# before 1.21 does not look for it, but it can fetch it as it fetches any module, and
# compares it with Go's database of checksums.
settle_go() {
	if usable_go; then
		# Go fetches here what go.mod asks for, and says so.
		go version >/dev/null || die "Go cannot fetch the version that go.mod asks for"
		return
	fi
	version=$(sed -n 's/^toolchain go//p' go.mod)
	case $(uname -m) in aarch64) arch=arm64 ;; *) arch=amd64 ;; esac
	say "fetching Go $version as a module: the machine's own is older than Go 1.21"
	directory=$(cd / && GOFLAGS=-modcacherw go mod download -json "golang.org/toolchain@v0.0.1-go$version.linux-$arch" | sed -n -e 's/^\t"Dir": "\(.*\)",*$/\1/p' -e '/^\t"Error"/w /dev/stderr')
	[ -d "$directory" ] || die "cannot fetch Go $version from the Go module proxy: install Go 1.21 or later"
	# Module archives carry no modes; what Go 1.21 does on first use.
	chmod -R +x "$directory/bin" "$directory/pkg/tool"
	mkdir -p .tools/bin
	ln -sf "$directory/bin/go" "$directory/bin/gofmt" .tools/bin/
}

case ${2:-$1} in
build | shell | demo | test) ;;
*) die "LEVEL is build, shell, demo or test, not ${2:-$1}" ;;
esac
if [ "$1" = doctor ]; then
	doctor "$2"
	exit
fi
refuse "$1"
install_packages "$1"
# What could not be tried before mmdebstrap was there.
found=$(check_namespaces "$1") || [ $? != 1 ] || die "make $1 cannot run here: $found"
settle_go
