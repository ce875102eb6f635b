# Unpacks $ARCHIVE to $DEST, with or without one directory around the whole.
staging=$DEST.part
rm -rf "$staging"
mkdir -p "$staging"
tar --no-same-owner -xf "$ARCHIVE" -C "$staging"
rm -f "$ARCHIVE"

top=$staging
if [ ! -f "$top/$ENTRY" ]; then
	set -- "$staging"/*
	if [ "$#" -ne 1 ] || [ ! -f "$1/$ENTRY" ]; then
		echo "backend.source: the archive has no $ENTRY at its top: pack the content of the backend directory" >&2
		exit 1
	fi
	top=$1
fi
# The service runs as another user and must only read.
chmod -R u+rwX,go+rX,go-w "$top"
chmod 0755 "$top/$ENTRY"
rm -rf "$DEST"
mv "$top" "$DEST"
rm -rf "$staging"
