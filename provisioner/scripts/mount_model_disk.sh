# Mounts the disk of the model as every boot will, and reads the file on it.
systemctl daemon-reload
systemctl --quiet enable "$UNIT"
systemctl start "$UNIT"
if [ ! -f "$FILE" ]; then
	echo "the disk labelled $LABEL holds no ${FILE##*/}" >&2
	exit 1
fi
found=$(sha256sum <"$FILE")
found=${found%% *}
if [ "$found" != "$SUM" ]; then
	echo "the disk labelled $LABEL holds sha256:$found, the model of the provisioner is sha256:$SUM: give both the same model" >&2
	exit 1
fi
