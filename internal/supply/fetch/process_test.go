package fetch

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain makes of this binary a process that fetches one file, if it is asked to.
func TestMain(m *testing.M) {
	if source := os.Getenv("FETCH_SOURCE"); source != "" {
		os.Exit(fetchAsProcess(source))
	}
	os.Exit(m.Run())
}

func fetchAsProcess(source string) int {
	if limit, err := strconv.ParseUint(os.Getenv("FETCH_FILE_SIZE"), 10, 64); err == nil {
		// The kernel sends a signal as well, which would end the process.
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			fmt.Println(err)
			return 2
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	f := New(os.Getenv("FETCH_CACHE"), func(line string) { fmt.Println(line) })
	f.retries.Pause = time.Millisecond
	file, err := f.Fetch(ctx, Payload{Field: "model", Source: source, Checksum: os.Getenv("FETCH_CHECKSUM")})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("fetched", file.Path)
	return 0
}

// process is another build on this machine.
type process struct {
	*exec.Cmd
	output *bufio.Scanner
}

func startProcess(t *testing.T, source, cache string, more ...string) *process {
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), "FETCH_SOURCE="+source, "FETCH_CACHE="+cache, "FETCH_CHECKSUM="+checksum(content))
	command.Env = append(command.Env, more...)
	command.Stderr = os.Stderr
	pipe, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	return &process{command, bufio.NewScanner(pipe)}
}

// line waits for a line of output that holds text.
func (p *process) line(t *testing.T, text string) string {
	for p.output.Scan() {
		if strings.Contains(p.output.Text(), text) {
			return p.output.Text()
		}
	}
	require.Fail(t, "the process ended without a word about "+text)
	return ""
}

// halting sends half of the file and then nothing more, until it is told that it may.
func halting(t *testing.T) (url string, requests *atomic.Int32, goOn chan struct{}) {
	requests, goOn = new(atomic.Int32), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if requests.Add(1) > 1 {
			http.ServeContent(w, r, "model.gguf", time.Time{}, strings.NewReader(content))
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		fmt.Fprint(w, content[:len(content)/2])
		w.(http.Flusher).Flush()
		select {
		case <-goOn:
			fmt.Fprint(w, content[len(content)/2:])
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/model.gguf", requests, goOn
}

// waitForHalf waits until half of the file is in the cache.
func waitForHalf(t *testing.T, cache string) {
	part := filepath.Join(cache, Payload{Checksum: checksum(content)}.digest()+".part")
	require.Eventually(t, func() bool {
		info, err := os.Stat(part)
		return err == nil && info.Size() == int64(len(content)/2)
	}, 20*time.Second, 10*time.Millisecond)
}

func TestInterruptedProcessIsContinued(t *testing.T) {
	for name, stop := range map[string]os.Signal{"kill -9": os.Kill, "Ctrl-C": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			url, requests, _ := halting(t)
			f, _ := newFetcher(t)
			first := startProcess(t, url, f.cacheDir)
			waitForHalf(t, f.cacheDir)
			require.NoError(t, first.Process.Signal(stop))
			if stop == os.Interrupt {
				assert.Contains(t, first.line(t, "stopped"), "model.source: download of "+url+" stopped (78.1 KiB of 156.2 KiB are kept)")
			}
			require.Error(t, first.Wait())

			file, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
			require.NoError(t, err)
			assert.Equal(t, content, read(t, file))
			assert.Equal(t, int32(2), requests.Load())
			onlyFile(t, f, file)
		})
	}
}

func TestSilentServerIsAskedForTheRest(t *testing.T) {
	url, requests, _ := halting(t)
	f, heard := newFetcher(t)
	f.stall = 200 * time.Millisecond
	file, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
	require.NoError(t, err)
	assert.Equal(t, content, read(t, file))
	assert.Equal(t, int32(2), requests.Load())
	assert.Contains(t, heard.lines[0], "model: receive model.gguf: the server sent nothing for 200ms (78.1 KiB of 156.2 KiB are kept); trying again in")
}

func TestTwoProcessesShareOneDownload(t *testing.T) {
	url, requests, goOn := halting(t)
	cache := filepath.Join(t.TempDir(), "cache")
	first := startProcess(t, url, cache)
	waitForHalf(t, cache)
	second := startProcess(t, url, cache)
	assert.Equal(t, fmt.Sprintf("model: process %d is downloading model.gguf to %s: waiting for it", first.Process.Pid, cache), second.line(t, "waiting"))

	// A third gives up waiting.
	third := startProcess(t, url, cache)
	third.line(t, "waiting")
	require.NoError(t, third.Process.Signal(os.Interrupt))
	third.line(t, fmt.Sprintf("wait for process %d, which holds", first.Process.Pid))
	require.Error(t, third.Wait())

	close(goOn)
	done := first.line(t, "fetched")
	assert.Equal(t, done, second.line(t, "fetched"))
	require.NoError(t, first.Wait())
	require.NoError(t, second.Wait())
	assert.Equal(t, int32(1), requests.Load())
	assert.Equal(t, []string{Payload{Checksum: checksum(content)}.digest()}, filesIn(t, cache))
}

// The kernel refuses to write in the middle of the download, as it does on a full disk.
func TestFullInTheMiddle(t *testing.T) {
	file := &remote{content: content, etag: `"1"`}
	url := file.start(t)
	f, _ := newFetcher(t)
	child := startProcess(t, url, f.cacheDir, "FETCH_FILE_SIZE=70000")
	message := child.line(t, "too large")
	assert.Contains(t, message, "model.source: receive model.gguf: write "+f.cacheDir)
	assert.Contains(t, message, "file too large (68.4 KiB of 156.2 KiB are kept): make room, or set PACKER_CACHE_DIR to a larger disk; the next build continues where this one stopped")
	require.Error(t, child.Wait())
	asked, _ := file.log()
	assert.Len(t, asked, 1, "another attempt would not help")

	got, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
	require.NoError(t, err)
	assert.Equal(t, content, read(t, got))
	asked, _ = file.log()
	assert.Equal(t, []string{fmt.Sprintf(`bytes=70000-%d "1"`, len(content)-1)}, asked)
}

func TestProxyOfTheEnvironment(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "http://payloads.example/model.gguf", r.URL.String())
		fmt.Fprint(w, content)
	}))
	defer proxy.Close()
	child := startProcess(t, "http://payloads.example/model.gguf", t.TempDir(), "http_proxy="+proxy.URL, "no_proxy=")
	child.line(t, "fetched")
	require.NoError(t, child.Wait())
}
