# Installs $PACKAGES. An image that has them all needs no network.

# cloud-init writes the package sources during the first boot.
if command -v cloud-init >/dev/null; then
	timeout 300 cloud-init status --wait >/dev/null 2>&1 || true
fi

missing=
for package in $PACKAGES; do
	state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
	# A service that starts during its installation does so without our configuration.
	policy=/usr/sbin/policy-rc.d
	restore() {
		rm -f "$policy"
		if [ -e "$policy.before" ]; then mv "$policy.before" "$policy"; fi
	}
	if [ -e "$policy" ]; then mv "$policy" "$policy.before"; fi
	trap restore EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 0755 "$policy"

	export DEBIAN_FRONTEND=noninteractive
	attempt=1
	# Without the error mode apt takes a mirror that does not answer for a success.
	until apt-get -q -o APT::Update::Error-Mode=any update; do
		if [ "$attempt" -ge 3 ]; then
			echo "apt-get update failed $attempt times: the machine needs a package mirror, or a base image that holds$missing" >&2
			exit 1
		fi
		attempt=$((attempt + 1))
		sleep 10
	done
	# shellcheck disable=SC2086 # a list of words
	apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing
fi

rm -f /etc/nginx/sites-enabled/default
