# Removes what belongs to this machine and must not be in an image of which many are made.

# journalctl and systemctl want a machine with a name; a run before this one took it away.
[ -s /etc/machine-id ] || systemd-machine-id-setup >/dev/null 2>&1 || true

# A trim does not reach every block of a deleted file, so keys and passwords are overwritten.
echo "$PER_VM" | while read -r path; do
	if [ -e "$path" ]; then find "$path" -type f -exec shred --iterations=0 --zero {} +; fi
	rm -rf "$path"
done
mkdir -p "$(dirname "$STATUS_FILE")"
echo "$INSTALL_SUCCESS" >"$STATUS_FILE"

patiently apt-get clean
rm -rf /var/lib/apt/lists/*

# Access: nobody gets in but by what the context says.
passwd --quiet --lock root
find /home -name authorized_keys -delete
rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
# cloud-init made it for the user of the build, and makes it anew.
rm -f /etc/sudoers.d/90-cloud-init-users

# Traces.
rm -rf /root/.cache /root/.*_history /root/.wget-hsts /root/.lesshst
if [ -d /var/lib/nginx ]; then find /var/lib/nginx -type f -delete; fi
rm -rf /var/lib/dhcp/*.leases /var/lib/NetworkManager/*.lease
# systemd-resolved keeps the name servers of whoever installed it.
rm -f /etc/.resolv.conf.systemd-resolved.bak
find /tmp /var/tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' -exec rm -rf {} +
journalctl --quiet --rotate
journalctl --quiet --vacuum-time=1s
if [ -d /var/log/journal ]; then find /var/log/journal -mindepth 1 -delete; fi
find /var/log -type f \( -name '*.gz' -o -name '*.old' -o -name '*.[0-9]' \) -delete
find /var/log -type f -exec truncate -s 0 {} +

# Identity: each machine makes its own at its first boot. This comes last, because
# journalctl wants to know the machine it is on.
if [ -d /etc/ssh ]; then find /etc/ssh -name 'ssh_host_*_key' -exec shred --iterations=0 --zero {} +; fi
rm -f /etc/ssh/ssh_host_*
: >/etc/machine-id
if [ -e /var/lib/dbus/machine-id ]; then
	ln -sf /etc/machine-id /var/lib/dbus/machine-id
fi
# Stopped, or it would save a seed at shutdown for every machine to start from.
systemctl stop systemd-random-seed.service
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
