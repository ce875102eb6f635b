package qemuvm

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// forwardTable asks QEMU which port of this host it bound for each guest port. The kernel
// chooses them (host port 0), so two guests started at the same time cannot collide. The table
// is human-readable text, because QMP has no command for it.
func forwardTable(ctx context.Context, m *monitor) (map[int]int, error) {
	raw, err := m.execute(ctx, "human-monitor-command", map[string]string{"command-line": "info usernet"})
	if err != nil {
		return nil, err
	}
	var table string
	if err := json.Unmarshal(raw, &table); err != nil {
		return nil, fmt.Errorf("read QEMU's table of forwarded ports: %w", err)
	}
	return parseForwards(table), nil
}

// parseForwards finds rows such as
//
//	TCP[HOST_FORWARD]   9       127.0.0.1 36175       10.0.2.15   443     0     0
//
// (libslirp, slirp_connection_info) and maps guest ports to host ports.
func parseForwards(table string) map[int]int {
	forwards := map[int]int{}
	for _, row := range strings.Split(table, "\n") {
		fields := strings.Fields(row)
		if len(fields) < 6 || fields[0] != "TCP[HOST_FORWARD]" {
			continue
		}
		host, errHost := strconv.ParseUint(fields[3], 10, 16)
		guest, errGuest := strconv.ParseUint(fields[5], 10, 16)
		if errHost == nil && errGuest == nil {
			forwards[int(guest)] = int(host)
		}
	}
	return forwards
}
