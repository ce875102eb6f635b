package demo_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/contextiso"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/qemuvm"
)

const (
	// guestTimeout limits every wait for something inside an emulated machine.
	guestTimeout = 10 * time.Minute
	sshPort      = 22
	// hostFromGuest is this machine's loopback address as the guest sees it.
	hostFromGuest = qemuvm.GuestGateway
	token         = "the-onegate-token"
)

// guest is the finished image, booted the way OpenNebula would, with an SSH login.
type guest struct {
	t   *testing.T
	vm  *qemuvm.VM
	key ssh.Signer
	// client is replaced after a reboot.
	client *ssh.Client
}

// bootGuest boots the image with the given context. The machine ends with the test.
func bootGuest(t *testing.T, made demo, values map[string]string) *guest {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	g := &guest{t: t}
	g.key, err = ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	context := map[string]string{
		"DISK_ID": "1", "VMID": "7", "NETWORK": "YES", "SET_HOSTNAME": appliance.Name,
		"SSH_PUBLIC_KEY": string(ssh.MarshalAuthorizedKey(g.key.PublicKey())),
		"ETH0_MAC":       qemuvm.GuestMAC, "ETH0_IP": qemuvm.GuestAddress, "ETH0_MASK": qemuvm.GuestMask,
		"ETH0_NETWORK": qemuvm.GuestNetwork, "ETH0_GATEWAY": qemuvm.GuestGateway, "ETH0_DNS": qemuvm.GuestNameserver,
	}
	for name, value := range values {
		context[name] = value
	}
	out := outputDirectory(t)
	overlay, iso := filepath.Join(out, "overlay.qcow2"), filepath.Join(out, "context.iso")
	require.NoError(t, qemuimg.CreateOverlay(t.Context(), made.image, overlay))
	require.NoError(t, contextiso.Write(t.Context(), iso, context, map[string]string{appliance.TokenFile: token + "\n"}))
	chosen, _ := accelerator.Settle(accelerator.Auto, "amd64")
	g.vm, err = qemuvm.Start(t.Context(), qemuvm.Config{
		Disk: overlay, ContextISO: iso, SerialLog: filepath.Join(out, "serial.log"), MemoryMiB: 2048, CPUs: 2, Accelerator: chosen,
		GuestPorts: []int{sshPort, appliance.HTTPPort, appliance.HTTPSPort, enginePort},
	})
	require.NoError(t, err)
	t.Cleanup(g.vm.Kill)
	return g
}

// enginePort is LocalAI's port, which must not be reachable.
const enginePort = 8080

// eventually waits for a condition and prints what it waits for, because silence looks like
// a hang.
func (g *guest) eventually(what string, condition func() error) {
	g.t.Helper()
	started := time.Now()
	said := started
	for {
		err := condition()
		if err == nil {
			g.t.Logf("%s: after %s", what, time.Since(started).Round(100*time.Millisecond))
			return
		}
		select {
		case <-g.vm.Exited():
			require.NoError(g.t, g.vm.Reason(), "the machine ended while waiting for %s", what)
		case <-time.After(500 * time.Millisecond):
		}
		require.Less(g.t, time.Since(started), guestTimeout, "waiting for %s: %v", what, err)
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			g.t.Logf("waiting for %s: %v", what, err)
		}
	}
}

// connect waits until an SSH login works.
func (g *guest) connect() {
	g.t.Helper()
	config := &ssh.ClientConfig{
		User: "debian", Auth: []ssh.AuthMethod{ssh.PublicKeys(g.key)}, Timeout: 20 * time.Second,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // a throwaway machine has a new host key
	}
	g.eventually("a login", func() (err error) {
		g.client, err = ssh.Dial("tcp", g.vm.Address(sshPort), config)
		return err
	})
}

// try runs a script as root and returns its output.
func (g *guest) try(script string) (string, error) {
	g.t.Helper()
	session, err := g.client.NewSession()
	if err != nil {
		return "", err
	}
	defer session.Close()
	var out, complaint bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = strings.NewReader(script), &out, &complaint
	done := make(chan error, 1)
	go func() { done <- session.Run("sudo -n sh -eu -s") }()
	select {
	case err = <-done:
	case <-time.After(guestTimeout):
		err = errors.New("not finished in time")
	}
	if err != nil {
		err = fmt.Errorf("%w: %s%s", err, out.String(), complaint.String())
	}
	return strings.TrimSpace(out.String()), err
}

// run is like try, for a script that must succeed.
func (g *guest) run(script string) string {
	g.t.Helper()
	out, err := g.try(script)
	require.NoError(g.t, err, script)
	return out
}

// reboot restarts the guest and waits until it is up again.
func (g *guest) reboot() {
	g.t.Helper()
	before := g.run("cat /proc/sys/kernel/random/boot_id")
	_, _ = g.try("systemctl reboot")
	_ = g.client.Close()
	g.eventually("the next boot", func() error {
		g.connect()
		now, err := g.try("cat /proc/sys/kernel/random/boot_id")
		if err == nil && now == before {
			err = errors.New("still the boot before")
		}
		return err
	})
}

func (g *guest) status() string {
	word, err := g.try("cat " + appliance.StatusFile)
	if err != nil {
		return err.Error()
	}
	return word
}

// becomes waits for the status word.
func (g *guest) becomes(word string) {
	g.t.Helper()
	g.eventually("the status "+word, func() error {
		if now := g.status(); now != word {
			return fmt.Errorf("the status is %s", now)
		}
		return nil
	})
}

// oneGate is a OneGate server that records the requests of machines.
type oneGate struct {
	*httptest.Server
	mutex sync.Mutex
	seen  []string
}

func newOneGate(t *testing.T) *oneGate {
	gate := &oneGate{}
	gate.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPut || r.URL.Path != "/vm" || r.Header.Get("X-ONEGATE-TOKEN") != token || r.Header.Get("X-ONEGATE-VMID") != "7" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		text, _ := url.QueryUnescape(string(body))
		gate.mutex.Lock()
		defer gate.mutex.Unlock()
		gate.seen = append(gate.seen, text)
	}))
	t.Cleanup(gate.Close)
	return gate
}

// told returns all requests so far, as one text.
func (g *oneGate) told() string {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return strings.Join(g.seen, "\n")
}

func (g *oneGate) forget() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.seen = nil
}

// fromGuest returns the URL at which the guest reaches a server on this machine.
func fromGuest(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	u.Host = net.JoinHostPort(hostFromGuest, u.Port())
	return u.String()
}

// relay forwards connections from a port of this machine to an address that is given later.
func relay(t *testing.T) (port int, to func(address string)) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port, func(address string) {
		go func() {
			for {
				near, err := listener.Accept()
				if err != nil {
					return
				}
				go join(t.Context(), near, address)
			}
		}()
	}
}

func join(ctx context.Context, near net.Conn, address string) {
	defer near.Close()
	far, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer far.Close()
	go func() { _, _ = io.Copy(far, near) }()
	_, _ = io.Copy(near, far)
}

// files returns the digests of all files that the agent writes, except those that change on
// every boot.
func (g *guest) files() string {
	return g.run(`cd / && find etc/slm-copilot etc/one-appliance etc/nginx/sites-enabled etc/systemd/system var/www/slm-copilot var/lib/slm-copilot etc/motd \
		-path var/lib/slm-copilot/localai -prune -o -path '*/tls/self/*' -prune -o \( -name boot-id -o -name status.json \) -prune -o \
		\( -type f -o -type l \) -print | sort | while read -r path; do
			[ -L "$path" ] && echo "$path -> $(readlink "$path")" || sha256sum "$path"; stat -c '%a %U %G' "$path"
		done`)
}
