# Configures the appliance as its first boot would and waits for a real answer.
"$AGENT" configure
systemctl daemon-reload
# shellcheck disable=SC2086 # a list of words
systemctl --quiet enable $UNITS
systemctl restart "$LOCALAI" "$NGINX"

until answer=$("$AGENT" smoke-test 2>&1); do
	restarts=$(systemctl show --property=NRestarts --value "$LOCALAI")
	if [ "$restarts" -ge 3 ] || systemctl --quiet is-failed "$LOCALAI" "$NGINX"; then
		echo "$answer"
		echo "$LOCALAI or $NGINX does not stay up" >&2
		exit 1
	fi
	echo "waiting for the model: $(echo "$answer" | tail -n 1)"
	sleep 5
done
echo "$answer"
systemctl stop "$LOCALAI" "$NGINX"
