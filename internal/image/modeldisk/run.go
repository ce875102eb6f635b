package modeldisk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
)

// The programs of e2fsprogs.
const (
	mke2fs  = "mke2fs"
	debugfs = "debugfs"
	e2fsck  = "e2fsck"
)

var distributionPackage = hostprogram.Package{Debian: "e2fsprogs", Fedora: "e2fsprogs"}

// run runs a program in the directory of the file system; cancelling the context kills it. The
// clock of e2fsprogs is fixed, so that every disk gets the same timestamps.
func (f fileSystem) run(ctx context.Context, program string, arguments ...string) (stdout, stderr string, err error) {
	cmd, err := hostprogram.Command(ctx, program, distributionPackage, arguments...)
	if err != nil {
		return "", "", err
	}
	var out, complaints bytes.Buffer
	cmd.Dir = f.directory
	cmd.Env = append(os.Environ(), "LC_ALL=C", "E2FSPROGS_FAKE_TIME=1")
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = hostprogram.Run(ctx, cmd)
	if errors.As(err, &hostprogram.Failure{}) {
		return "", "", fmt.Errorf("%s: %w\n%s", program, err, strings.TrimSpace(out.String()+complaints.String()))
	}
	return out.String(), complaints.String(), err
}
