#!/bin/sh
# Installs what the build, the demo and the tests need on a Debian or Ubuntu machine, and
# nothing that is there already: Debian packages (with sudo when not root), a Go toolchain
# if the machine's own cannot build this module, and Packer, from the Go module proxy.
#
# usage: setup.sh    (from the top of the repository; make setup does that)
set -eu

# The toolchain for machines without a usable Go, as the Go module proxy serves it.
go_version=1.26.8
go_sha256=30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7
tools=$PWD/.tools

say() { echo "setup: $*"; }
die() {
	echo "setup: $*" >&2
	exit 1
}
have() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }

if [ "$(id -u)" = 0 ]; then
	as_root() { "$@"; }
else
	as_root() { sudo "$@"; }
fi

# missing_packages prints the package of every command or file that is not there.
missing_packages() {
	while read -r thing package; do
		case $thing in
		/*) [ -e "$thing" ] || echo "$package" ;;
		*) have "$thing" || echo "$package" ;;
		esac
	done <<'END'
qemu-system-x86_64 qemu-system-x86
qemu-img qemu-utils
xorriso xorriso
mmdebstrap mmdebstrap
/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
newuidmap uidmap
grub-mkimage grub-common
/usr/lib/grub/i386-pc/boot.img grub-pc-bin
/usr/lib/grub/x86_64-efi/modinfo.sh grub-efi-amd64-bin
mkfs.vfat dosfstools
mcopy mtools
/usr/share/OVMF/OVMF_CODE_4M.fd ovmf
sfdisk fdisk
mke2fs e2fsprogs
nginx nginx
certbot certbot
pebble pebble
openssl openssl
strace strace
curl curl
/etc/ssl/certs/ca-certificates.crt ca-certificates
unzip unzip
zstd zstd
systemd-analyze systemd
git git
gcc gcc
/usr/include/stdlib.h libc6-dev
ssh openssh-client
sshd openssh-server
rsync rsync
node nodejs
npm npm
chromium chromium
minisign minisign
yamllint yamllint
ruby ruby
rspec ruby-rspec
END
}

# The tests run nginx and sshd by themselves, on the loopback address. The packages' own
# services would listen to the network, so they neither start when they are installed
# (policy-rc.d forbids it, see invoke-rc.d(8)) nor when the machine boots.
without_services() (
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'as_root rm -f $policy' EXIT
		trap 'exit 1' HUP INT TERM
		printf '#!/bin/sh\nexit 101\n' | as_root install -m 0755 /dev/stdin $policy
	fi
	as_root "$@"
)
keep_off() {
	[ ! -d /run/systemd/system ] || as_root systemctl disable --quiet --now "$@"
}

# shellcheck disable=SC2086 # a list of packages is one word per package
install_packages() {
	packages=$(missing_packages)
	[ -n "$packages" ] || return 0
	have apt-get || die "this machine is neither Debian nor Ubuntu; install by hand:" $packages
	# Read before anything is installed: which services were here before us?
	nginx_was_here=no
	! have nginx || nginx_was_here=yes
	sshd_was_here=no
	! have sshd || sshd_was_here=yes
	say "installing Debian packages:" $packages
	as_root apt-get -qq update
	# Ubuntu has Chromium as a snap only.
	if ! have chromium && ! apt-cache show chromium >/dev/null 2>&1; then
		packages=$(echo $packages | sed 's/\<chromium\>//')
		as_root snap install chromium
	fi
	without_services env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $packages >/dev/null
	[ $nginx_was_here = yes ] || keep_off nginx.service
	[ $sshd_was_here = yes ] || keep_off ssh.socket ssh.service
	packages=$(missing_packages)
	[ -z "$packages" ] || die "still missing after the installation:" $packages
}

# GOTOOLCHAIN=auto lets Go 1.21 and later fetch what go.mod asks for by itself.
go_is_usable() {
	have go && go version >/dev/null 2>&1 && [ -n "$(go list -m 2>/dev/null)" ]
}

install_go() {
	[ ! -x "$tools/go/bin/go" ] || return 0
	! go_is_usable || return 0
	[ "$(uname -m)" = x86_64 ] || die "no Go that can build this module; install Go $go_version"
	say "installing Go $go_version into .tools (70 MB)"
	proxy=${GOPROXY:-https://proxy.golang.org}
	module=golang.org/toolchain@v0.0.1-go$go_version.linux-amd64
	zip=$tools/go.zip
	mkdir -p "$tools"
	curl -fsSL --retry 3 -o "$zip" "${proxy%%[,|]*}/golang.org/toolchain/@v/${module#*@}.zip" ||
		die "cannot download the Go toolchain from the Go module proxy; install Go $go_version yourself"
	echo "$go_sha256  $zip" | sha256sum --check --quiet || die "the Go toolchain downloaded is not the one expected"
	rm -rf "$tools/unpack" "$tools/go"
	unzip -q -d "$tools/unpack" "$zip"
	# Module archives carry no modes.
	chmod -R +x "$tools/unpack/$module/bin" "$tools/unpack/$module/pkg/tool"
	mv "$tools/unpack/$module" "$tools/go"
	rm -rf "$tools/unpack" "$zip"
}

# The programs are built again only when what they are built from has changed.
install_packer() {
	stamp=$(cat internal/tools/packer/go.mod internal/tools/packer/go.sum | sha256sum)
	[ "$stamp" != "$(cat "$tools/packer.stamp" 2>/dev/null)" ] || return 0
	say "building Packer from the Go module proxy (about three minutes on two cores)"
	mkdir -p "$tools/bin"
	# One after the other, and the stamp last: a run cut short is simply done again.
	(
		cd internal/tools/packer
		for program in github.com/hashicorp/packer github.com/hashicorp/packer-plugin-sdk/cmd/packer-sdc; do
			GOFLAGS=-mod=readonly go build -o "$tools/bin/" "$program"
		done
	)
	echo "$stamp" >"$tools/packer.stamp"
}

install_packages
install_go
PATH=$tools/go/bin:$PATH
install_packer
say "everything is there"
