# The last words of the services, for the message of a failed smoke test.
for unit in "$LOCALAI" "$GATEWAY" "$NGINX"; do
	journalctl --no-pager --output=cat --lines=20 --unit="$unit"
done
