#!/bin/sh
# The part of setup that is root's: installs Debian packages and shows how far it is.
#
# usage: install.sh PACKAGE...
set -eu

# The locks of other programs, and mirrors that fail, are waited for as in the appliance.
. provisioner/scripts/apt.sh

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
mark="while slm-copilot installs packages"
trap 'rm -f "$log"; [ -z "${forbidden:-}" ] || rm -f "$policy"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

say() { echo "setup: $*"; }
die() {
	echo "setup: $*" >&2
	exit 1
}

# follow WHAT reads what apt says, with lines of its progress among it, keeps all else in
# the log, and returns the status that apt ended with. A terminal gets one line that
# changes, a file one every ten seconds.
follow() {
	far='' seconds=0
	while read -r line; do
		case $line in
		dlstatus:* | pmstatus:*)
			far=${line#*:*:}
			far="${far%%.*} %, ${far#*:}"
			;;
		tick)
			seconds=$((seconds + 1))
			if [ -t 1 ]; then
				printf '\rsetup: %s, %s s: %.60s\033[K' "$1" $seconds "$far"
			elif [ $((seconds % 10)) = 0 ]; then
				say "$1, $seconds s: $far"
			fi
			;;
		ended:*)
			[ ! -t 1 ] || printf '\r\033[K'
			return "${line#ended:}"
			;;
		*) echo "$line" >>"$log" ;;
		esac
	done
	return 1
}

# apt WHAT ARGUMENT... runs apt-get; what it complains of goes to stderr. Apt closes the file
# that it writes its progress to before it starts dpkg, so that must not be stdout.
apt() {
	what=$1
	shift
	: >"$log"
	{
		while sleep 1; do echo tick; done &
		ticks=$!
		status=0
		DEBIAN_FRONTEND=noninteractive apt-get -qq -o APT::Status-Fd=5 -o Dpkg::Use-Pty=0 "$@" 5>&1 </dev/null 2>&1 || status=$?
		kill $ticks
		echo "ended:$status"
	} | follow "$what" && status=0 || status=$?
	if [ "$status" = 0 ]; then grep '^W:' "$log" >&2 || :; else tail -n 20 "$log" >&2; fi
	return "$status"
}

# The tests run nginx and sshd by themselves, on the loopback address. The packages' own
# services would listen to the network, so they neither start when they are installed
# (invoke-rc.d(8) asks policy-rc.d) nor when the machine boots.
forbid_services() {
	# One of ours stays behind when this is killed.
	[ ! -e $policy ] || grep -q "^# $mark" $policy || return 0
	forbidden=yes
	printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >$policy
	chmod 0755 $policy
}
keep_off() {
	[ -d /run/systemd/system ] || return 0
	for unit; do
		! systemctl cat "$unit" >/dev/null 2>&1 || systemctl disable --quiet --now "$unit"
	done
}

# Read before anything is installed: which services were here before us?
was_here() { [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
nginx_was_here=no
! was_here nginx || nginx_was_here=yes
sshd_was_here=no
! was_here openssh-server || sshd_was_here=yes

say "installing $# Debian packages: $*"
forbid_services
# What an interrupted run left half installed.
DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a </dev/null >>"$log" 2>&1 || :
# A machine may name archives that fail and are not needed here: the installation decides.
patiently apt "reading the lists of packages" update || say "going on with the lists there are"
patiently apt "installing packages" -o Acquire::Retries=3 install -y --no-install-recommends "$@" ||
	die "the packages cannot be installed, see above"
[ $nginx_was_here = yes ] || keep_off nginx.service
[ $sshd_was_here = yes ] || keep_off ssh.socket ssh.service
