# shellcheck shell=sh disable=SC2034
# What a level of setup needs of this machine, and whether it is there. Sourced by setup.sh
# at the top of the repository; nothing here changes anything.

# What the levels take, measured on Debian 13 and rounded up: GB in the checkout and in the
# caches of the user, and MiB of memory. The demo boots a machine of 2 GiB, the tests two.
room() {
	case $1 in
	build) echo 4 1500 ;;
	shell) echo 7 1500 ;;
	demo) echo 8 3500 ;;
	test) echo 14 5600 ;;
	esac
}

have() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }

# missing LEVEL FAMILY prints the package of each command or file that is not there, for
# the family debian or fedora. Each level holds the ones before it.
missing() {
	case $1 in
	build) wanted=" build " ;;
	shell | demo) wanted=" build demo " ;;
	*) wanted=" build demo test optional " ;;
	esac
	while read -r level thing debian fedora; do
		case $wanted in *" $level "*) ;; *) continue ;; esac
		case $thing in
		/*) [ ! -e "$thing" ] || continue ;;
		*) ! have "$thing" || continue ;;
		esac
		case $2 in
		fedora) echo "$fedora" ;;
		*) [ "$level" = optional ] && ! is_real "$debian" || echo "$debian" ;;
		esac
	done <internal/tools/packages
	have go || echo golang-go
}

# is_real says whether a package can be installed: on Ubuntu, chromium is a name that no
# package has.
is_real() { apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'; }

# usable_go says whether there is a Go that fetches the version go.mod asks for by itself,
# which 1.21 was the first to do. It is asked not to do so now.
usable_go() {
	version=$(GOTOOLCHAIN=local go version 2>/dev/null) || return 1
	version=${version#go version go1.}
	[ "${version%%[!0-9]*}" -ge 21 ] 2>/dev/null
}

# usable_packer says whether there is a Packer that can be used: 1.11 was the first to
# find a plugin by the layout of directories this installs into.
usable_packer() {
	# Fedora has another program of that name, which reads.
	version=$(CHECKPOINT_DISABLE=1 packer version 2>/dev/null </dev/null | sed -n 's/^Packer v1\.\([0-9]*\).*/\1/p')
	[ "${version:-0}" -ge 11 ]
}

# Each check prints what it found about a level. It returns 0 if all is well, 1 if nothing
# can be done without the person, 2 if setup will do it, and 3 if it is only worth knowing.

check_system() {
	case $(uname -s) in
	Linux) ;;
	Darwin) echo "macOS cannot run this: use a virtual machine with Debian or Ubuntu"; return 1 ;;
	*) echo "$(uname -s) cannot run this: use Debian or Ubuntu, on Windows in WSL 2"; return 1 ;;
	esac
	if [ "$1" != build ] && [ "$(uname -m)" != x86_64 ]; then
		echo "$(uname -m): the demonstration is made for x86_64; make build works here"
		return 1
	fi
	(. /etc/os-release && echo "${PRETTY_NAME:-Linux}, $(uname -m)")
}

check_checkout() {
	[ -w . ] || { echo "$PWD cannot be written to by $(id -un)"; return 1; }
	case $PWD in
	*[:,\"\'\\\$\`]*) echo "$PWD holds a character that QEMU, Packer or make would read as something else: move the checkout"; return 1 ;;
	esac
	[ -e .git ] || { echo "$PWD (not a clone: make test-hosts needs one)"; return 3; }
	echo "$PWD"
}

check_packages() {
	if ! have apt-get; then
		family=debian
		! have dnf || family=fedora
		# shellcheck disable=SC2046 # one line
		set -- $(missing "$1" $family)
		[ $# -gt 0 ] || { echo "all there"; return; }
		echo "neither Debian nor Ubuntu; install by hand: $*"
		return 1
	fi
	# shellcheck disable=SC2046
	set -- $(missing "$1" debian)
	[ $# -gt 0 ] || { echo "all there"; return; }
	if [ "$(id -u)" != 0 ] && ! have sudo; then
		echo "neither root nor sudo; as root: apt-get update && apt-get install --no-install-recommends $*"
		return 1
	fi
	echo "$# to install: $*"
	return 2
}

check_go() {
	usable_go || { echo "none of 1.21 or later: setup fetches one"; return 2; }
	GOTOOLCHAIN=local go version
}

check_packer() {
	[ "$1" != build ] || { echo "not needed to build"; return; }
	usable_packer || { echo "none of 1.11 or later on the PATH: setup compiles it"; return 2; }
	CHECKPOINT_DISABLE=1 packer version </dev/null | head -n 1
}

# A checkout that was set up for a level before has most of it already. The caches may lie
# on another file system than the checkout.
check_disk() {
	need=$(room "$1")
	need=${need% *}
	[ ! -e ".cache/build/$1.done" ] || need=2
	for place in "$PWD" "$HOME"; do
		free=$(df -Pk "$place" | awk 'NR == 2 { print int($4 / 1000000) }')
		if [ "$free" -lt "$need" ]; then
			echo "$free GB free in $place, make $1 takes $need GB in the checkout and the caches of $(id -un)"
			return 1
		fi
	done
	echo "$free GB free"
}

check_memory() {
	need=$(room "$1")
	need=${need#* }
	total=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
	[ "$total" -ge "$need" ] || { echo "$total MiB, make $1 takes $need MiB"; return 1; }
	echo "$total MiB"
}

# mmdebstrap makes the base image as root, or in a user namespace with ids of its own.
check_namespaces() {
	[ "$1" != build ] || { echo "not needed to build"; return; }
	[ "$(id -u)" != 0 ] || { echo "not needed by root"; return; }
	for ids in subuid subgid; do
		grep -q -e "^$(id -un):" -e "^$(id -u):" /etc/$ids 2>/dev/null || {
			echo "$(id -un) has no subordinate ids in /etc/$ids: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)"
			return 1
		}
	done
	# Ubuntu allows them to programs it knows, mmdebstrap among them.
	if ! have mmdebstrap && grep -qsx 1 /proc/sys/kernel/apparmor_restrict_unprivileged_userns; then
		echo "tried when mmdebstrap is installed"
		return 3
	fi
	if have mmdebstrap; then set -- mmdebstrap --unshare-helper true; else set -- unshare --user true; fi
	"$@" 2>/dev/null || {
		echo "this machine allows $(id -un) no user namespace (a plain chroot and many containers do not): run make as root"
		return 1
	}
	echo "user namespaces work"
}

# The virtual machines reach Debian's mirrors by IPv4, through QEMU's own network.
check_network() {
	case $1 in build | shell) echo "not needed once it has been run with one"; return 3 ;; esac
	awk '$2 == "00000000" { found = 1 } END { exit !found }' /proc/net/route 2>/dev/null || {
		echo "no IPv4 route to anywhere: the demonstration installs packages from Debian's mirrors"
		return 1
	}
	getent ahostsv4 deb.debian.org >/dev/null || { echo "deb.debian.org has no IPv4 address here: look at /etc/resolv.conf"; return 1; }
	echo "a route to Debian's mirrors"
}

check_virtualization() {
	[ "$1" != build ] || { echo "not needed to build"; return; }
	if [ -w /dev/kvm ] && { [ -e /sys/module/kvm_intel ] || [ -e /sys/module/kvm_amd ]; }; then
		echo "KVM"
		return
	fi
	echo "no KVM for $(id -un): virtual machines are emulated, which takes minutes a boot"
	return 3
}

checks="system checkout packages go packer disk memory namespaces network virtualization"
