arrived=$(sha256sum <"$PART")
arrived=${arrived%% *}
if [ "$arrived" != "$SUM" ]; then
	rm -f "$PART"
	echo "sha256:$arrived arrived, sha256:$SUM was sent: the connection or the disk of the machine lost bytes" >&2
	exit 1
fi
chmod "$MODE" "$PART"
mv "$PART" "$DEST"
