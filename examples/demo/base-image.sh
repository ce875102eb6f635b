#!/bin/sh
# Makes a Debian 12 cloud image out of Debian's packages: what one would otherwise
# download. It needs no loop device and no network block device, and no root but in a chroot or
# a container that forbids user namespaces.
#
# usage: base-image.sh OUTPUT.qcow2
set -eu

output=$1
suite=bookworm
# The root file system starts at 1 MiB; the gap before it holds GRUB's core image.
disk_mib=3072
# What Debian's own generic cloud image is made of, as far as an appliance meets it.
packages=linux-image-cloud-amd64,systemd-sysv,dbus,cloud-init,cloud-guest-utils,netplan.io
packages=$packages,systemd-resolved,openssh-server,sudo,ca-certificates,iproute2,e2fsprogs,fdisk,procps

say() { echo "base image: $*"; }

# Without root the tree belongs to the ids of a user namespace; what reads or removes it
# must run in there too.
if [ "$(id -u)" = 0 ]; then
	mode=root
	as_owner() { "$@"; }
else
	mode=unshare
	as_owner() { mmdebstrap --unshare-helper "$@"; }
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/slm-copilot-base.XXXXXX")
trap 'as_owner rm -rf --one-file-system "$work/tree" "$work/fs" || :; rm -rf "$work" "$output.partial"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$work/files" "$work/fs"
chmod 0755 "$work"
[ "$mode" = root ] || chmod 0777 "$work" "$work/fs"

cat >"$work/files/fstab" <<'END'
LABEL=root / ext4 errors=remount-ro,discard 0 1
END
# The names of kernel and initrd carry a version; these links do not.
cat >"$work/files/grub.cfg" <<'END'
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set root=(hd0,msdos1)
linux /vmlinuz root=LABEL=root ro console=tty0 console=ttyS0,115200 net.ifnames=0 biosdevname=0
initrd /initrd.img
boot
END
# NoCloud is how a build seeds the image, OpenNebula how a cloud does.
cat >"$work/files/datasource.cfg" <<'END'
datasource_list: [ NoCloud, OpenNebula, None ]
# cloud-init's own default is en_US.UTF-8, whose files are left out below.
locale: C.UTF-8
END

say "installing Debian $suite from its packages (about two minutes)"
# shellcheck disable=SC2016 # mmdebstrap's shell is to expand $1
mmdebstrap --quiet --mode="$mode" --variant=minbase --include="$packages" \
	--aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--customize-hook="copy-in $work/files/fstab /etc" \
	--customize-hook='mkdir -p "$1/boot/grub"' \
	--customize-hook="copy-in $work/files/grub.cfg /boot/grub" \
	--customize-hook="upload $work/files/datasource.cfg /etc/cloud/cloud.cfg.d/90_dpkg.cfg" \
	--customize-hook='chown root:root "$1/etc/fstab" "$1/boot/grub/grub.cfg" "$1/etc/cloud/cloud.cfg.d/90_dpkg.cfg"' \
	--customize-hook='rm -f "$1/etc/hostname" "$1"/etc/ssh/ssh_host_*' \
	--customize-hook='chroot "$1" passwd --quiet --lock root' \
	"$suite" "$work/tree" </dev/null
as_owner mke2fs -q -t ext4 -L root -E root_owner=0:0 -d "$work/tree" "$work/fs/root.ext4" $((disk_mib - 1))M >/dev/null

say "adding the boot loader"
disk=$work/disk.raw
truncate -s "${disk_mib}M" "$disk"
echo 'start=2048, type=83, bootable' | sfdisk --quiet --label dos "$disk"
grub-mkimage -O i386-pc -o "$work/core.img" -p '(hd0,msdos1)/boot/grub' \
	biosdisk part_msdos ext2 normal configfile linux serial terminal
# boot.img reads the sector after it, where core.img starts: that is what grub-mkimage
# assumes, so no block list has to be patched. Its first 440 bytes are code, the
# partition table follows.
dd if=/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
dd if="$work/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none
dd if="$work/fs/root.ext4" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none

say "compressing"
qemu-img convert -O qcow2 -c -o compression_type=zstd "$disk" "$work/image.qcow2"
# Another file system may be in between, so the name changes hands only beside it.
cp "$work/image.qcow2" "$output.partial"
mv "$output.partial" "$output"
