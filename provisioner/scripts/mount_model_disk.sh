# Mounts the disk of the models as every boot will, and reads the files on it. Each line of $SUMS is a
# digest and a path.
systemctl daemon-reload
systemctl --quiet enable "$UNIT"
systemctl start "$UNIT"
advice="give source and provisioner the same models, in their blocks model and other_model"
count=0
while read -r sum file; do
	[ -n "$file" ] || continue
	if [ ! -f "$file" ]; then
		echo "the disk labelled $LABEL holds no ${file##*/}: $advice" >&2
		exit 1
	fi
	found=$(sha256sum <"$file")
	found=${found%% *}
	if [ "$found" != "$sum" ]; then
		echo "${file##*/} on the disk labelled $LABEL is sha256:$found, that of the provisioner is sha256:$sum: $advice" >&2
		exit 1
	fi
	count=$((count + 1))
done <<EOF
$SUMS
EOF
# A model that the provisioner does not know would never be offered.
there=$(find "$DIR" -name '*.gguf' | wc -l)
if [ "$there" -ne "$count" ]; then
	echo "the disk labelled $LABEL holds $there models, the provisioner has $count: $advice" >&2
	exit 1
fi
