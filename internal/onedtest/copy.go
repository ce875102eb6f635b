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
	"strings"
)

// stored is what a copy has become in the datastore.
type stored struct {
	md5, format string
	// failure is what the driver says when there is none.
	failure string
}

// allowed tells whether a local file may be copied. SAFE_DIRS are prefixes of the string
// and no more: /var/tmpevil begins with /var/tmp.
func allowed(path, safe string) bool {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		resolved = filepath.Clean(path)
	}
	for _, directory := range strings.Fields(safe) {
		if strings.HasPrefix(resolved, directory) {
			return true
		}
	}
	return false
}

func open(ctx context.Context, path string) (io.ReadCloser, error) {
	if isRemote(path) {
		return openRemote(ctx, path)
	}
	return os.Open(path)
}

// store reads all of the source and compares its digest: the SHA1 alone if there is one,
// the MD5 otherwise, both of what is transferred and not of what is in it.
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

// convert is what a datastore with a DRIVER does; the bytes are others then.
func (s stored) convert(driver string) stored {
	if driver == "" || driver == s.format || s.failure != "" {
		return s
	}
	sum := md5.Sum([]byte(driver + s.md5))
	return stored{md5: hex.EncodeToString(sum[:]), format: driver}
}

// hash names a file as the drivers do, with what no other file has.
func (o *Oned) hash(object *Object) string {
	sum := md5.Sum(fmt.Appendf(nil, "%s %d %d", object.Kind, object.ID, object.RegTime))
	return hex.EncodeToString(sum[:])
}
