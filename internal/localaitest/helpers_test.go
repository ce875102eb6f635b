package localaitest

import "time"

const (
	// waitLimit is long, so that it is reached on a busy machine only if something hangs.
	waitLimit = 30 * time.Second
	tick      = 5 * time.Millisecond
)
