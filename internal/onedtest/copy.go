package onedtest

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stored is the result of a copy to the datastore.
type stored struct {
	md5, format string
	// failure is the driver's message if the copy failed.
	failure string
}

// allowed reports whether a local file may be copied: SAFE_DIRS go before RESTRICTED_DIRS. Both
// are plain string prefixes: /var/tmpevil begins with /var/tmp.
func allowed(path, safe, restricted string) bool {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		resolved = filepath.Clean(path)
	}
	in := func(directories string) bool {
		return slices.ContainsFunc(strings.Fields(directories), func(directory string) bool { return strings.HasPrefix(resolved, directory) })
	}
	return in(safe) || !in(restricted)
}

func open(ctx context.Context, path string) (io.ReadCloser, error) {
	if isRemote(path) {
		return openRemote(ctx, path)
	}
	return os.Open(path)
}

// store reads the whole source and compares its digest: only the SHA1 if there is one,
// otherwise the MD5, both of the transferred bytes and not of the unpacked ones.
func store(ctx context.Context, path, target, wantMD5, wantSHA1 string) stored {
	failed := stored{failure: "Error copying " + path + " to " + target}
	body, err := open(ctx, path)
	if err != nil {
		return failed
	}
	defer body.Close()
	sum5, sum1, inner5 := md5.New(), sha1.New(), md5.New()
	transferred := io.TeeReader(body, io.MultiWriter(sum5, sum1))
	plain, err := unpack(transferred)
	if err != nil {
		return failed
	}
	s := stored{format: "raw"}
	head, _ := plain.Peek(qcow2Head)
	if _, is := qcow2Size(head); is {
		s.format = "qcow2"
	}
	_, err = io.Copy(inner5, plain)
	if err == nil {
		_, err = io.Copy(io.Discard, transferred)
	}
	if err != nil {
		reset := strings.Repeat("curl: (56) Recv failure: Connection reset by peer", retries)
		return stored{failure: reset + "Error copying" + failed.failure}
	}
	want, is := wantSHA1, hex.EncodeToString(sum1.Sum(nil))
	if want == "" {
		want, is = wantMD5, hex.EncodeToString(sum5.Sum(nil))
	}
	if want != "" && want != is {
		return failed
	}
	s.md5 = hex.EncodeToString(inner5.Sum(nil))
	return s
}

// convert does what a datastore with a DRIVER does, which changes the bytes.
func (s stored) convert(driver string) stored {
	if driver == "" || driver == s.format || s.failure != "" {
		return s
	}
	sum := md5.Sum([]byte(driver + s.md5))
	return stored{md5: hex.EncodeToString(sum[:]), format: driver}
}

// hash returns a unique file name as the drivers generate it.
func (o *Oned) hash(object *Object) string {
	sum := md5.Sum(fmt.Appendf(nil, "%s %d %d", object.Kind, object.ID, object.RegTime))
	return hex.EncodeToString(sum[:])
}
