# Free KiB on the root file system, where everything goes.
df -Pk / | while read -r _ _ _ available _; do
	case $available in Available) ;; *) echo "$available" ;; esac
done
