# The packages apt kept in $ARCHIVES, with their digests.
cd "$ARCHIVES" || exit
for deb in *.deb; do
	if [ -f "$deb" ]; then sha256sum "$deb"; fi
done
