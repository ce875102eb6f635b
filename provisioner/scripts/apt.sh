# Functions that stand before a script that runs apt-get.

# held_lock finds in what apt-get complained of that another process holds a lock.
held_lock() {
	echo "$1" | grep -m 1 -e "Could not get lock" -e "locked by another process"
}

# patiently runs a command that runs apt-get. After a first boot the system's own updates
# hold apt's locks for minutes, that of the lists among them, for which apt-get knows no
# wait of its own: patiently waits for ten minutes, says for whom, and then returns 75. What
# a mirror failed to give is asked for three times. What apt complains of is shown.
patiently() {
	waited=0
	attempt=1
	until { complaints=$(export LC_ALL=C && "$@" 2>&1 >&3 3>&-); } 3>&1; do
		if lock=$(held_lock "$complaints"); then
			if [ "$waited" -ge 600 ]; then
				echo "gave up after 10 minutes of waiting for another process: $lock" >&2
				return 75
			fi
			echo "waiting for another process to end, for $waited of at most 600 seconds: $lock" >&2
			sleep 5
			waited=$((waited + 5))
			continue
		fi
		echo "$complaints" >&2
		case $complaints in
		*"Failed to fetch"*) echo "a package mirror failed ($attempt of 3 attempts)" >&2 ;;
		*) return 1 ;;
		esac
		if [ "$attempt" -ge 3 ]; then return 1; fi
		attempt=$((attempt + 1))
		sleep 10
	done
	if [ -n "$complaints" ]; then echo "$complaints" >&2; fi
}
