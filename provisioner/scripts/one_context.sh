# Leaves one-context alone in charge of the context. Its package has removed cloud-init,
# whose settings are still there.
quiet() { "$@" >/dev/null; }

# shellcheck disable=SC2016 # dpkg-query is to expand it
leftover=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' 'cloud-init*' 2>/dev/null |
	while read -r state package; do
		if [ "$state" != not-installed ]; then echo "$package"; fi
	done) || true
if [ -n "$leftover" ]; then
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of words
	quiet patiently apt-get -q -y purge $leftover
fi
rm -rf /etc/cloud /var/lib/cloud
rm -f /etc/sudoers.d/90-cloud-init-users /var/log/cloud-init.log /var/log/cloud-init-output.log

# The network of the build, as cloud-init, NetworkManager and one-context's own package
# have left it.
rm -f /etc/netplan/50-cloud-init.yaml /etc/netplan/90-NM-*.yaml /etc/network/interfaces.d/50-cloud-init
find /etc/network -maxdepth 1 -type f -name 'interfaces.[0-9]*' -delete 2>/dev/null || true

# one-context runs every file in there, whatever its name.
find "$HOOKS" -maxdepth 1 -type f \( -name '*.bak' -o -name '*.orig' -o -name '*.save' -o -name '*~' \
	-o -name '*.dpkg-*' -o -name '*.ucf-*' \) -print -delete | while read -r stray; do
	echo "removed $stray, which would run at every boot"
done

systemctl --quiet enable one-context-local.service one-context-online.service one-context.service one-context-reconfigure.timer
