# Which disks with the model are there, as name=value lines.
udevadm settle --timeout=30 || true
for disk in label="$LABEL" serial="$SERIAL"; do
	if [ -e "${disk#*=}" ]; then echo "${disk%%=*}=yes"; fi
done
