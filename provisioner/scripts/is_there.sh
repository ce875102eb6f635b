# Says "there" if $FILE has $SIZE bytes of digest $SUM; the size is asked first, it is cheap.
[ -f "$FILE" ] && [ "$(wc -c <"$FILE")" -eq "$SIZE" ] || exit 0
found=$(sha256sum <"$FILE")
[ "${found%% *}" = "$SUM" ] || exit 0
chmod "$MODE" "$FILE"
echo there
