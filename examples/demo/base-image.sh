#!/bin/sh
# Makes a Debian 12 cloud image (a raw disk) out of Debian's packages: what one would
# otherwise download. It needs no root, no loop device and no network block device, so
# it runs in any container.
#
# usage: base-image.sh OUTPUT.raw
set -eu

disk=$1
suite=bookworm
# The root file system starts at 1 MiB; the gap before it holds GRUB's core image.
disk_mib=3072
# What Debian's own generic cloud image is made of, as far as an appliance meets it.
packages=linux-image-cloud-amd64,systemd-sysv,dbus,cloud-init,cloud-guest-utils,netplan.io
packages=$packages,systemd-resolved,openssh-server,ca-certificates,iproute2,e2fsprogs,fdisk,procps

say() { echo "base image: $*"; }

work=$(mktemp -d "${TMPDIR:-/tmp}/slm-copilot-base.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# mmdebstrap's user namespace maps to other ids than ours.
chmod 0755 "$work"
mkdir "$work/files" "$work/fs" "$work/tree"
chmod 0777 "$work/fs"

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
END

say "installing Debian $suite from its packages (about two minutes)"
# mke2fs runs as a hook, inside mmdebstrap's user namespace: only there do the files
# have the owners they are to have in the image. The bind mount shows it the tree without
# the /proc and /sys that are mounted for the packages' scripts.
mmdebstrap --quiet --variant=minbase --include="$packages" \
	--aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--customize-hook="copy-in $work/files/fstab /etc" \
	--customize-hook='mkdir -p "$1/boot/grub" && rm -f "$1/etc/hostname" "$1"/etc/ssh/ssh_host_* && : >"$1/etc/machine-id"' \
	--customize-hook="copy-in $work/files/grub.cfg /boot/grub" \
	--customize-hook="upload $work/files/datasource.cfg /etc/cloud/cloud.cfg.d/90_dpkg.cfg" \
	--customize-hook='chroot "$1" passwd --quiet --lock root' \
	--customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin' \
	--customize-hook="mount --bind \"\$1\" '$work/tree'" \
	--customize-hook="mke2fs -q -t ext4 -L root -E root_owner=0:0 -d '$work/tree' '$work/fs/root.ext4' $((disk_mib - 1))M" \
	--customize-hook="umount '$work/tree'" \
	--format=null "$suite" /dev/null </dev/null

say "adding the boot loader"
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
