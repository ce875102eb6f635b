# The machine's own systemd must see the new units and the new accounts.
systemd-sysusers "$SYSUSERS"
systemctl daemon-reload
