#!/bin/sh
# Makes fresh machines of other distributions out of their packages, and does there, as an
# ordinary user with sudo, what depends on the machine. Each is a directory with mount and
# process namespaces of its own, is made in minutes, and is gone afterwards.
#
# usage: hosts.sh quick|full [HOST...]    (at the top of a clone, by make test-hosts)
#
# quick is what make test has time for. full adds the setup of every level, and a whole
# make demo on the first host.
set -eu

extent=$1
shift
[ $# -gt 0 ] || set -- debian-13 ubuntu-24.04 debian-12 ubuntu-26.04

. internal/tools/host.sh
# A week's packages are fresh enough to start with: the first step of a setup reads new lists.
kept=${SLM_COPILOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/slm-copilot}/hosts
top=$PWD

say() { echo "test-hosts: $*"; }
die() {
	echo "test-hosts: $*" >&2
	exit 1
}
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

[ -e .git ] || die "$top is not a clone: git clone the repository, a tarball has nothing to clone from"
have mmdebstrap || die "mmdebstrap is missing: make setup installs it"
as_root unshare --mount --pid --fork true || die "this machine allows no new namespaces (some containers do not)"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/slm-copilot-hosts.XXXXXX")
chmod 0755 "$work"
running=
trap '[ -z "$running" ] || kill -HUP "$running" 2>/dev/null || :; as_root rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
mkdir -p "$kept"

# bootstrap ARGUMENT... runs mmdebstrap and shows what it said only if it fails.
bootstrap() {
	as_root mmdebstrap "$@" >"$work/log" 2>&1 || {
		tail -n 30 "$work/log" >&2
		die "mmdebstrap $* failed, see above"
	}
}

debian_key=/usr/share/keyrings/debian-archive-keyring.gpg

# ubuntu_key prints the file with the keys of Ubuntu's archive, which Debian 13 has a
# package of. Apt reads it as a user of its own, so it must not lie in somebody's home.
ubuntu_key() {
	key=usr/share/keyrings/ubuntu-archive-keyring.gpg
	[ -e "$work/$key" ] || {
		bootstrap --variant=extract --keyring=$debian_key --include=ubuntu-keyring trixie "$work/keys.tar" http://deb.debian.org/debian
		tar -C "$work" -xf "$work/keys.tar" "./$key"
	}
	echo "$work/$key"
}

# system SUITE prints a tar archive with the smallest system that make and git run on.
system() {
	archive=$kept/$1.tar
	if [ -z "$(find "$kept" -name "$1.tar" -mtime -7)" ]; then
		say "making $1 from its packages" >&2
		case $1 in
		noble | resolute) set -- "$1" --keyring="$(ubuntu_key)" --components=main,universe http://archive.ubuntu.com/ubuntu ;;
		*) set -- "$1" --keyring=$debian_key --components=main http://deb.debian.org/debian ;;
		esac
		bootstrap --variant=minbase --include=apt,sudo,git,make,ca-certificates "$2" "$3" "$1" "$work/$1.tar" "$4"
		mv "$work/$1.tar" "$archive"
	fi
	echo "$archive"
}

# inside HOST COMMAND runs a shell command on a host as its user. The root of the host is
# the root of the namespace, not of a chroot, which may make no user namespaces. It takes
# the place of the shell that it is called in, so that a signal to that one ends it all.
inside() {
	set -- "$work/$1" "$2" "$kept/caches"
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	# shellcheck disable=SC2016 # for the shell in the namespace
	exec $sudo unshare --mount --pid --fork --kill-child --propagation private sh -euc '
		mount --bind "$1" "$1"
		cd "$1"
		mount -t proc proc proc
		mount --rbind /sys sys
		mount --rbind /dev dev
		mount --bind "$3" home/dev/.cache
		mkdir -p .old
		pivot_root . .old
		umount -l /.old
		exec su - dev -c "export GOMODCACHE=\$HOME/.cache/go-mod; $2"' sh "$@" </dev/null
}

# host NAME SUITE FOLDER makes a host and clones this checkout there.
host() {
	root=$work/$1
	archive=$(system "$2")
	mkdir "$root"
	as_root tar -C "$root" -xf "$archive"
	as_root cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
	as_root cp --dereference /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	as_root chroot "$root" useradd --create-home --shell /bin/bash dev
	echo 'dev ALL=(ALL) NOPASSWD: ALL' | as_root tee "$root/etc/sudoers.d/dev" >/dev/null
	git clone --quiet --bare "$top" "$work/clone-$1"
	as_root mv "$work/clone-$1" "$root/srv/slm.git"
	# Hosts share what they compiled and downloaded, as two clones of one user do.
	mkdir -p "$kept/caches"
	as_root mkdir -p "$root/home/dev/.cache"
	as_root chroot "$root" chown -R dev: /home/dev /srv/slm.git
	as_root chown "$(stat -c %u:%g "$root/home/dev")" "$kept/caches"
	(inside "$1" "git clone --quiet /srv/slm.git '$3'")
}

# step HOST TITLE COMMAND runs a command in the clone on a host, shows every ten seconds
# what it says, and ends everything if it fails.
step() {
	started=$(date +%s)
	next=10
	inside "$1" "cd '$folder' && $3" >"$work/log" 2>&1 &
	running=$!
	while kill -0 $running 2>/dev/null; do
		seconds=$(($(date +%s) - started))
		[ $seconds -lt $next ] || {
			say "$1: $2, $seconds s: $(tail -n 1 "$work/log" | cut -c 1-100)"
			next=$((seconds + 10))
		}
		sleep 1
	done
	status=0
	wait $running || status=$?
	running=
	[ $status = 0 ] || {
		tail -n 60 "$work/log" >&2
		die "$1: $2 failed, see above"
	}
	say "$1: $2, $(($(date +%s) - started)) s"
}

# As the programs are compiled, to share with them what is compiled.
go_test="CGO_ENABLED=0 go test -trimpath -buildvcs=false"

# What holds the lock of apt's lists for a while, as the first upgrade of a new machine does.
hold_lock="sudo perl -MFcntl -e '
	open my \$file, q(>), q(/var/lib/apt/lists/lock);
	my \$lock = pack q(s s x4 q q i x4), F_WRLCK, 0, 0, 0, 0;
	fcntl \$file, F_SETLK, \$lock or die;
	sleep 12' &"

visit() {
	name=$1
	folder=slm
	case $name in
	debian-12) suite=bookworm ;;
	debian-13) suite=trixie ;;
	# One of them has a blank in its path.
	ubuntu-24.04) suite=noble folder="my work/slm" ;;
	ubuntu-26.04) suite=resolute ;;
	*) die "$name is not known: debian-12, debian-13, ubuntu-24.04 or ubuntu-26.04" ;;
	esac
	host "$name" $suite "$folder"
	step "$name" "make doctor" "make doctor LEVEL=demo"
	step "$name" "make build, while another program holds apt's lock" "{ $hold_lock sleep 1; make build; }"
	grep -q "waiting for another process to end" "$work/log" || die "$name: setup did not say that it waits for apt's lock"
	# What another host compiled serves this one, but what a host makes with its own programs
	# is made on each.
	step "$name" "make demo-payloads" "rm -f ~/.cache/slm-copilot/base-* && make demo-payloads"
	step "$name" "inspection of file systems in every layout" "$go_test ./internal/image/inspect -run Layouts"
	step "$name" "packing" "$go_test ./internal/image/qemuimg"
	step "$name" "packer validate" "echo packer validate -var-file=.cache/demo/payloads.pkrvars.json examples/demo | make shell"
	[ "$extent" = full ] || return 0
	step "$name" "make setup LEVEL=test" "make setup LEVEL=test"
	[ -n "$demonstrated" ] || step "$name" "make demo" "make demo"
	demonstrated=yes
}

demonstrated=
for name; do
	visit "$name"
	as_root rm -rf --one-file-system "${work:?}/$name"
done
say "all is well on $*"
