package s3

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
)

const benchmarkSize = 256 << 20

// forgetfulStore is one that keeps nothing, so that the client is what is measured: a fake one
// in memory spends more time on copies than a network would.
func forgetfulStore(b *testing.B) Options {
	var object http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"0"`)
		switch {
		case r.Method == http.MethodPost && kind(r) == "uploads":
			object = r.Header.Clone()
			_, _ = io.WriteString(w, "<InitiateMultipartUploadResult><Bucket>images</Bucket><Key>x</Key><UploadId>1</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodPost:
			_, _ = io.WriteString(w, "<CompleteMultipartUploadResult><Bucket>images</Bucket><Key>x</Key><ETag>0</ETag></CompleteMultipartUploadResult>")
		case r.Method == http.MethodGet:
			_, _ = io.WriteString(w, "<ListMultipartUploadsResult></ListMultipartUploadsResult>")
		case r.Method == http.MethodHead && object == nil:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodHead:
			w.Header().Set("X-Amz-Meta-Sha256", object.Get("X-Amz-Meta-Sha256"))
			w.Header().Set("Content-Length", "268435456")
			w.Header().Set("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
			object = nil
		}
	}))
	b.Cleanup(server.Close)
	return Options{Endpoint: server.URL, Region: region, Bucket: "images", AccessKey: accessKey, SecretKey: secretKey}
}

// BenchmarkS3 sends four parts at a time, each with a digest computed before.
func BenchmarkS3(b *testing.B) {
	m, file := New(forgetfulStore(b)), image(b, benchmarkSize)
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		_, err := m.Send(b.Context(), file, func(string) {})
		require.NoError(b, err)
	}
}

// BenchmarkSingleStream is what it is measured against: the parts one after the other, by
// the same library, with the digests it computes by itself.
func BenchmarkSingleStream(b *testing.B) {
	options, file := forgetfulStore(b), image(b, benchmarkSize)
	core, _, err := options.connect()
	require.NoError(b, err)
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		source, err := os.Open(file.Path)
		require.NoError(b, err)
		_, err = core.Client.PutObject(b.Context(), "images", "x", source, file.Size, minio.PutObjectOptions{PartSize: partSize, NumThreads: 1})
		require.NoError(b, err)
		require.NoError(b, source.Close())
	}
}
