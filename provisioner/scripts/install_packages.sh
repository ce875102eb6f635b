# Installs $PACKAGES, names or paths of .deb files. A machine that has them all needs no
# network; nor does one for which $REPOSITORY holds the packages. $ARCHIVES, if set, gets
# every package that was downloaded. nginx gets $NGINX_CONNECTIONS for each worker.

# cloud-init writes the package sources during the first boot.
if command -v cloud-init >/dev/null; then
	timeout 300 cloud-init status --wait >/dev/null 2>&1 || true
fi

# is_installed goes by the name, and for a file by the version as well.
is_installed() {
	name=$1
	version=
	case $name in
	/*)
		name=$(dpkg-deb --field "$1" Package)
		version=$(dpkg-deb --field "$1" Version)
		;;
	esac
	# shellcheck disable=SC2016 # dpkg-query is to expand it
	found=$(dpkg-query --show --showformat='${db:Status-Status} ${Version}' "$name" 2>/dev/null) || return 1
	[ "${found%% *}" = installed ] || return 1
	[ -z "$version" ] || [ "${found#* }" = "$version" ]
}

missing=
for package in $PACKAGES; do
	is_installed "$package" || missing="$missing $package"
done

if [ -n "$ARCHIVES" ]; then mkdir -p "$ARCHIVES/partial"; fi

# describe_repository writes what apt reads: the packages' own fields, and where they are.
describe_repository() {
	cd "$REPOSITORY" || exit
	for deb in *.deb; do
		sum=$(sha256sum <"$deb")
		dpkg-deb --field "$deb"
		echo "Filename: ./$deb"
		echo "Size: $(wc -c <"$deb")"
		echo "SHA256: ${sum%% *}"
		echo
	done >Packages
	# The packages were verified when they came, by digests the template's owner keeps.
	echo "deb [trusted=yes] file:$REPOSITORY ./" >sources.list
	mkdir -p lists/partial
	cd /
}

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
	options=
	hint="the machine needs a package mirror, or package_directory, or a base image that holds$missing"
	if [ -n "$REPOSITORY" ]; then
		describe_repository
		options="-o Dir::Etc::SourceList=$REPOSITORY/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$REPOSITORY/lists"
		hint="package_directory does not hold what$missing needs on this base image: empty it, and build once where a mirror can be reached"
	fi
	if [ -n "$ARCHIVES" ]; then
		options="-o Dir::Cache::Archives=$ARCHIVES -o APT::Keep-Downloaded-Packages=true"
	fi
	# give_up does not blame the packages if another process never let go of a lock.
	give_up() {
		if [ "$1" != 75 ]; then echo "apt-get $2 failed: $hint" >&2; fi
		exit 1
	}
	# Without the error mode apt takes a mirror that does not answer for a success.
	# shellcheck disable=SC2086 # lists of words, here and below
	patiently apt-get -q $options -o APT::Update::Error-Mode=any update || give_up $? update
	# shellcheck disable=SC2086
	patiently apt-get -q -y $options install --no-install-recommends $missing || give_up $? install
	# Under a policy that starts nothing, accounts that packages declare may not be made.
	systemd-sysusers
fi

rm -f /etc/nginx/sites-enabled/default

# The site is the agent's, but a limit of connections stands outside of it, once: by default the
# half-sent requests of a single client take all of them.
if [ -e /etc/nginx/nginx.conf ]; then
	replaced=
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		*\#*worker_connections*) ;;
		*[[:blank:]]worker_connections[[:blank:]]*\;*)
			line="	worker_connections $NGINX_CONNECTIONS;"
			replaced=yes
			;;
		esac
		printf '%s\n' "$line"
	done </etc/nginx/nginx.conf >/etc/nginx/nginx.conf.new
	[ -n "$replaced" ] || {
		echo "/etc/nginx/nginx.conf sets no worker_connections where its package does: restore the file of nginx-common" >&2
		exit 1
	}
	cat /etc/nginx/nginx.conf.new >/etc/nginx/nginx.conf
	rm /etc/nginx/nginx.conf.new
fi
