# Copies the first $SIZE bytes of $DEVICE to $DEST and reads them again. It prints how many
# bytes are there, now and then.
mkdir -p "$DIR"
trap 'rm -f "$DEST.part"' EXIT
dd if="$DEVICE" of="$DEST.part" bs=4M count="$SIZE" iflag=count_bytes,fullblock conv=fsync status=none &
copy=$!
while kill -0 "$copy" 2>/dev/null && [ "$(wc -c <"$DEST.part" 2>/dev/null || echo 0)" -lt "$SIZE" ]; do
	sleep 1
	wc -c <"$DEST.part" 2>/dev/null || true
done
wait "$copy"
arrived=$(sha256sum <"$DEST.part")
arrived=${arrived%% *}
if [ "$arrived" != "$SUM" ]; then
	echo "sha256:$arrived was copied, the model is sha256:$SUM: the disk of the machine or of this host lost bytes" >&2
	exit 1
fi
chmod 0644 "$DEST.part"
mv "$DEST.part" "$DEST"
wc -c <"$DEST"
