# Removes the traces of the build; what provisioners leave is theirs to remove.

# What is said on standard output is shown to the user.
exec 3>&1 >&2

# The key of the build. This session lives on.
rm -rf /root/.ssh

# The next boot is a first boot again, on other hardware.
if command -v cloud-init >/dev/null; then
	cloud-init clean --logs --seed
fi
rm -rf /var/lib/cloud
rm -f /etc/netplan/50-cloud-init.yaml /etc/network/interfaces.d/50-cloud-init

# Whoever writes logs stops, so that the shutdown is not logged either.
systemctl stop syslog.socket rsyslog.service 2>/dev/null || true
if command -v journalctl >/dev/null; then
	journalctl --quiet --relinquish-var
fi
rm -rf /var/log/journal/*
find /var/log -type f -exec truncate -s 0 {} +
# The shutdown is recorded where the file is there, and systemd-tmpfiles makes it anew.
rm -f /var/log/wtmp

# Free space is given back to the image file.
sync
fstrim -av >&3
