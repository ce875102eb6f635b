directory=$(dirname "$PART")
if [ "$OFFSET" = 0 ]; then
	mkdir -p "$directory"
	rm -f "$PART"
fi
# By position and not at the end: what a connection that was given up still brings is
# written where it belongs.
if ! dd of="$PART" bs=1M oflag=seek_bytes seek="$OFFSET" conv=notrunc status=none; then
	rm -f "$PART"
	free=$(df --output=avail -B1 "$directory" | tail -n 1)
	echo "the file has $SIZE bytes, and its file system $((free)) bytes to spare" >&2
	exit 1
fi
wc -c <"$PART"
