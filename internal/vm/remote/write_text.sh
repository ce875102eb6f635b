mkdir -p "$DIR"
printf %s "$CONTENT" >"$DEST.part"
chmod "$MODE" "$DEST.part"
mv "$DEST.part" "$DEST"
