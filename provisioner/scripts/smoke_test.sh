# Configures the appliance as its first boot would and waits for a real answer.
"$AGENT" configure
systemctl daemon-reload
# shellcheck disable=SC2086 # a list of words
systemctl --quiet enable $UNITS
# The first request starts the gateway, which a bake before this one may have left running.
systemctl stop "$GATEWAY"
systemctl restart "$LOCALAI" "$SOCKET" "$NGINX"

# The agent waits by itself; the rounds are for noticing a service that cannot come up.
until "$AGENT" smoke-test --timeout 2m 2>&1; do
	for unit in "$LOCALAI" "$GATEWAY"; do
		restarts=$(systemctl show --property=NRestarts --value "$unit")
		if [ "$restarts" -ge 3 ]; then
			echo "$unit does not stay up" >&2
			exit 1
		fi
	done
	if systemctl --quiet is-failed "$LOCALAI" "$SOCKET" "$NGINX"; then
		echo "$LOCALAI, $SOCKET or $NGINX does not stay up" >&2
		exit 1
	fi
	sleep 5
done
systemctl stop "$NGINX" "$SOCKET" "$GATEWAY" "$LOCALAI"
