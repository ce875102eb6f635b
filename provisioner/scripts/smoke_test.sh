# Configures the appliance as its first boot would and waits for a real answer.
"$AGENT" configure
systemctl daemon-reload
# shellcheck disable=SC2086 # a list of words
systemctl --quiet enable $UNITS
systemctl restart "$LOCALAI" "$NGINX"

# The agent waits by itself; the rounds are for noticing a service that cannot come up.
until "$AGENT" smoke-test --timeout 2m 2>&1; do
	restarts=$(systemctl show --property=NRestarts --value "$LOCALAI")
	if [ "$restarts" -ge 3 ] || systemctl --quiet is-failed "$LOCALAI" "$NGINX"; then
		echo "$LOCALAI or $NGINX does not stay up" >&2
		exit 1
	fi
	sleep 5
done
systemctl stop "$LOCALAI" "$NGINX"
