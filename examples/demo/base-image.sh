#!/bin/sh
# Makes a Debian cloud image out of Debian's packages: what one would otherwise download.
# It boots with BIOS and with UEFI firmware. It needs no loop device and no network block
# device, and no root but in a chroot or a container that forbids user namespaces.
#
# usage: base-image.sh OUTPUT.qcow2 [SUITE]    (bookworm, which is Debian 12)
set -eu

output=$1
suite=${2:-bookworm}
disk_mib=3072
# Where Debian keeps mke2fs and sfdisk, which need no root here.
PATH=$PATH:/usr/sbin:/sbin
# The partitions of Debian's own cloud image: what boots comes first, so that the root file
# system can grow. Starts and sizes are in sectors of 512 bytes; the last MiB is for GPT.
bios_start=2048 bios_size=6144
esp_start=8192 esp_size=253952
root_start=262144 root_size=$((disk_mib * 2048 - 262144 - 2048))
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

work=$(mktemp -d "${TMPDIR:-/var/tmp}/slm-copilot-base.XXXXXX")
trap 'as_owner rm -rf --one-file-system "$work/mapped/tree" "$work/mapped/root.ext4" || :; rm -rf "$work" "$output.partial"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
mkdir "$work/files" "$work/mapped"
chmod 0711 "$work"
chmod 0755 "$work/files"
# The ids of the user namespace are nobody's outside, so anybody may write where they do.
[ "$mode" = root ] || chmod 0777 "$work/mapped"

cat >"$work/files/fstab" <<'END'
LABEL=root / ext4 errors=remount-ro,discard 0 1
END
# The names of kernel and initrd carry a version; these links do not.
cat >"$work/files/grub.cfg" <<'END'
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
# On a busy host the clock of an emulated machine is late, and the kernel's test of it panics.
linux /vmlinuz root=LABEL=root ro console=tty0 console=ttyS0,115200 net.ifnames=0 biosdevname=0 no_timer_check
initrd /initrd.img
boot
END
# What GRUB itself starts with: the order of disks differs between firmwares.
cat >"$work/files/start.cfg" <<'END'
search --set=root --label root
set prefix=($root)/boot/grub
END
# NoCloud is how a build seeds the image, OpenNebula how a cloud does.
cat >"$work/files/datasource.cfg" <<'END'
datasource_list: [ NoCloud, OpenNebula, None ]
# cloud-init's own default is en_US.UTF-8, whose files are left out below.
locale: C.UTF-8
END

say "installing Debian $suite from its packages"
# Without --keyring, mmdebstrap finds the key of another distribution's archive with gpg
# alone, which minimal systems lack. What it says is kept: when it fails, only that is the reason.
# shellcheck disable=SC2016 # mmdebstrap's shell is to expand $1
mmdebstrap --mode="$mode" --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --variant=minbase --include="$packages" \
	--aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--customize-hook="copy-in $work/files/fstab /etc" \
	--customize-hook='mkdir -p "$1/boot/grub"' \
	--customize-hook="copy-in $work/files/grub.cfg /boot/grub" \
	--customize-hook="upload $work/files/datasource.cfg /etc/cloud/cloud.cfg.d/90_dpkg.cfg" \
	--customize-hook='chown root:root "$1/etc/fstab" "$1/boot/grub/grub.cfg" "$1/etc/cloud/cloud.cfg.d/90_dpkg.cfg"' \
	--customize-hook='rm -f "$1/etc/hostname" "$1/etc/.resolv.conf.systemd-resolved.bak" "$1"/etc/ssh/ssh_host_*' \
	--customize-hook='chroot "$1" passwd --quiet --lock root' \
	"$suite" "$work/mapped/tree" </dev/null
say "making the file system"
as_owner mke2fs -q -t ext4 -L root -E root_owner=0:0 -d "$work/mapped/tree" "$work/mapped/root.ext4" $((root_size / 2))k >/dev/null
as_owner rm -rf --one-file-system "$work/mapped/tree"

say "adding the boot loaders"
disk=$work/disk.raw
truncate -s "${disk_mib}M" "$disk"
sfdisk --quiet "$disk" <<END
label: gpt
1 : start=$root_start, size=$root_size, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
14 : start=$bios_start, size=$bios_size, type=21686148-6449-6E6F-744E-656564454649
15 : start=$esp_start, size=$esp_size, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
END
# put FILE SECTOR writes a file into the disk.
put() { dd if="$1" of="$disk" bs=512 seek="$2" conv=notrunc,sparse status=none; }
# sector NUMBER prints a sector's address as GRUB keeps it: eight bytes, the lowest first.
sector() {
	number=$1
	for _ in 1 2 3 4 5 6 7 8; do
		# shellcheck disable=SC2059 # the format is the byte
		printf "\\$(printf %03o $((number % 256)))"
		number=$((number / 256))
	done
}
modules="part_gpt ext2 normal configfile search search_label linux serial terminal"

# BIOS: boot.img in the first sector loads the first sector of core.img, and that one the
# rest. Where these are is written into both (GRUB_BOOT_MACHINE_KERNEL_SECTOR, and the
# first block list, 12 bytes before the end of its sector).
# shellcheck disable=SC2086 # a list of modules is one word per module
grub-mkimage -O i386-pc -o "$work/core.img" -p /boot/grub -c "$work/files/start.cfg" biosdisk $modules
cp /usr/lib/grub/i386-pc/boot.img "$work/boot.img"
sector "$bios_start" | dd of="$work/boot.img" bs=1 seek=92 conv=notrunc status=none
sector $((bios_start + 1)) | dd of="$work/core.img" bs=1 seek=500 conv=notrunc status=none
# The first 440 bytes of boot.img are code, the rest of the sector is GPT's.
dd if="$work/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
put "$work/core.img" "$bios_start"

# UEFI: the file firmware looks for on a disk it has never seen.
# shellcheck disable=SC2086
grub-mkimage -O x86_64-efi -o "$work/bootx64.efi" -p /boot/grub -c "$work/files/start.cfg" $modules
truncate -s "$((esp_size / 2))K" "$work/esp.fat"
mkfs.vfat -F 32 -n ESP "$work/esp.fat" >/dev/null
mmd -i "$work/esp.fat" ::EFI ::EFI/BOOT
mcopy -i "$work/esp.fat" "$work/bootx64.efi" ::EFI/BOOT/BOOTX64.EFI
put "$work/esp.fat" "$esp_start"

put "$work/mapped/root.ext4" "$root_start"

say "compressing"
qemu-img convert -O qcow2 -c -o compression_type=zstd "$disk" "$work/image.qcow2"
# Another file system may be in between, so the name changes hands only beside it.
cp "$work/image.qcow2" "$output.partial"
mv "$output.partial" "$output"
