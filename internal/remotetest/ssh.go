package remotetest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"sync/atomic"
	"testing"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	packerrpc "github.com/hashicorp/packer-plugin-sdk/rpc"
	packerssh "github.com/hashicorp/packer-plugin-sdk/sdk-internals/communicator/ssh"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// Link is a simulated network between Packer and the machine.
type Link struct {
	// Budgets are how many bytes from Packer each connection carries before it is cut, one for
	// each connection in turn. Connections after the last budget are unlimited.
	Budgets []int64
	// Connections is how many connections were made.
	Connections atomic.Int64

	address string
}

// SSH returns the machine as a provisioner sees it: through Packer's RPC, Packer's own SSH
// communicator, and a network that fails as specified by link.
func (m *Machine) SSH(t testing.TB, link *Link) packersdk.Communicator {
	link.address = m.serve(t)
	comm, err := packerssh.New(link.address, &packerssh.Config{
		Connection: link.connect,
		SSHConfig: &ssh.ClientConfig{
			User:            "root",
			HostKeyCallback: ssh.InsecureIgnoreHostKey(), // made for this test, in this process
		},
		DisableAgentForwarding: true,
		// Packer's interval is 5 s: shorter sessions would never send a keep-alive.
		KeepAliveInterval: time.Millisecond,
	})
	require.NoError(t, err)
	return OverRPC(t, comm)
}

// OverRPC returns comm as a provisioner sees it, which runs in another process than the
// builder.
func OverRPC(t testing.TB, comm packersdk.Communicator) packersdk.Communicator {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close() })
	server, err := packerrpc.NewServer(far)
	require.NoError(t, err)
	require.NoError(t, server.RegisterCommunicator(comm))
	go server.Serve()
	client, err := packerrpc.NewClient(near)
	require.NoError(t, err)
	return client.Communicator()
}

func (l *Link) connect() (net.Conn, error) {
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		return nil, err
	}
	number := int(l.Connections.Add(1)) - 1
	if number >= len(l.Budgets) {
		return conn, nil
	}
	return &tired{conn, l.Budgets[number]}, nil
}

// tired is a connection that is cut while data is being sent.
type tired struct {
	net.Conn
	left int64
}

func (t *tired) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p[:min(int64(len(p)), t.left)])
	t.left -= int64(n)
	if err == nil && n < len(p) {
		t.Close()
		err = net.ErrClosed
	}
	return n, err
}

// serve starts an SSH server that accepts every login.
func (m *Machine) serve(t testing.TB) (address string) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go m.converse(conn, config)
		}
	}()
	return listener.Addr().String()
}

func (m *Machine) converse(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go m.session(channel, requests)
	}
}

// session runs one command and, like sshd, answers other requests meanwhile.
func (m *Machine) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	for request := range requests {
		var exec struct{ Command string }
		known := request.Type == "exec" && ssh.Unmarshal(request.Payload, &exec) == nil
		_ = request.Reply(known, nil)
		if known {
			go m.execute(channel, exec.Command)
		}
	}
}

func (m *Machine) execute(channel ssh.Channel, command string) {
	defer channel.Close()
	cmd := &packersdk.RemoteCmd{Command: command, Stdin: channel, Stdout: channel, Stderr: channel.Stderr()}
	status := 255
	if err := m.Start(context.Background(), cmd); err == nil {
		status = cmd.Wait()
	}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
}
