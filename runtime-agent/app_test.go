package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/onecontext"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
)

const modelFile = appliance.ModelsDir + "/" + appliance.ModelFile

// vm is a directory in place of a machine, with a record of the calls to systemd.
type vm struct {
	t       testing.TB
	root    string
	facts   machine.Facts
	units   *recorder
	refusal error
	baseURL string
	pause   time.Duration
}

type recorder struct{ calls []string }

func (r *recorder) Reload(context.Context) error                   { return nil }
func (r *recorder) Restart(ctx context.Context, unit string) error { return r.TryRestart(ctx, unit) }
func (r *recorder) TryRestart(_ context.Context, unit string) error {
	r.calls = append(r.calls, "restart "+unit)
	return nil
}
func (r *recorder) TryReload(_ context.Context, unit string) error {
	r.calls = append(r.calls, "reload "+unit)
	return nil
}

func newVM(t testing.TB) *vm {
	t.Helper()
	v := &vm{
		t: t, root: t.TempDir(), units: &recorder{}, pause: time.Millisecond,
		facts: machine.Facts{CPUs: 4, Threads: 4, Memory: 2 << 30, Hostname: "vm-7", BootID: "boot-1", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.7")}},
	}
	v.put(appliance.BakedFile, `{"model_id": "`+appliance.ModelID+`"}`)
	var model bytes.Buffer
	require.NoError(t, gguf.Write(&model, gguf.Tiny("stand-in")))
	v.put(modelFile, model.String())
	return v
}

// run runs one command as from the command line.
func (v *vm) run(args ...string) (code int, stdout, stderr string) {
	v.t.Helper()
	return v.runWithin(v.t.Context(), args...)
}

func (v *vm) runWithin(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	v.t.Helper()
	v.units.calls = nil
	var out, err bytes.Buffer
	code = run(ctx, append([]string{"--root", v.root}, args...), &out, &err, func(root string) app {
		a := newApp(root)
		a.facts = func() (machine.Facts, error) { return v.facts, nil }
		a.units = v.units
		a.checkProxy = func(context.Context) error { return v.refusal }
		a.baseURL, a.pause = v.baseURL, v.pause
		if v.baseURL != "" {
			a.answers = func(ctx context.Context) error { return probe.Answers(ctx, v.baseURL) }
		}
		return a
	})
	return code, out.String(), err.String()
}

// context is the file as one-context would pass it to the agent.
func (v *vm) context(values map[string]string) string {
	v.t.Helper()
	v.put("/mnt/context.sh", string(onecontext.Format(values)))
	return filepath.Join(v.root, "/mnt/context.sh")
}

func (v *vm) configure(values map[string]string) {
	v.t.Helper()
	code, _, stderr := v.run("configure", "--context", v.context(values))
	require.Zero(v.t, code, stderr)
}

func (v *vm) put(path, content string) {
	v.t.Helper()
	path = filepath.Join(v.root, path)
	require.NoError(v.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(v.t, os.WriteFile(path, []byte(content), 0o644))
}

func (v *vm) read(path string) string {
	v.t.Helper()
	content, err := os.ReadFile(filepath.Join(v.root, path))
	require.NoError(v.t, err)
	return string(content)
}

// stamp identifies the file at a path: a different inode means it was written again.
type stamp struct {
	inode   uint64
	mode    fs.FileMode
	content string
}

// snapshot is every file but the log.
func (v *vm) snapshot() map[string]stamp {
	v.t.Helper()
	found := map[string]stamp{}
	require.NoError(v.t, filepath.WalkDir(v.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path == filepath.Join(v.root, appliance.LogFile) {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		s := stamp{inode: inode(info), mode: info.Mode()}
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			s.content = string(content)
		} else if s.content, err = os.Readlink(path); err != nil {
			return err
		}
		found[path[len(v.root):]] = s
		return nil
	}))
	return found
}

// serve takes the place of nginx and the engine: TLS with the certificate of the machine, the
// password as key. It returns the function that stops it.
func (v *vm) serve() (stop func()) {
	v.t.Helper()
	leaf := []byte(v.read(plan.LeafFile))
	pair, err := tls.X509KeyPair(leaf, leaf)
	require.NoError(v.t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(v.t, err)
	v.baseURL = "https://" + listener.Addr().String()
	password := v.read(appliance.PasswordFile)
	server := &http.Server{
		Handler:   localaitest.NewHandler(localaitest.Options{Keys: []string{password[:len(password)-1]}}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	v.t.Cleanup(func() { server.Close() })
	return func() { server.Close() }
}
