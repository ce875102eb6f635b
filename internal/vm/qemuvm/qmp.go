package qemuvm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
)

// monitor is a client of the QEMU Machine Protocol (QMP, docs/interop/qmp-spec.txt in QEMU's
// source): JSON commands and answers, with events in between.
type monitor struct {
	conn net.Conn
	// greeted is closed when QEMU has sent its greeting, closed when the connection has ended.
	greeted chan struct{}
	closed  chan struct{}

	mu      sync.Mutex
	lastID  int
	waiting map[int]chan message
	// shutdown is the reason in the last SHUTDOWN event, such as "guest-shutdown".
	shutdown string
}

// message is anything QEMU sends: the greeting, an answer or an event.
type message struct {
	Greeting *json.RawMessage `json:"QMP"`
	ID       int              `json:"id"`
	Return   json.RawMessage  `json:"return"`
	Error    *qmpError        `json:"error"`
	Event    string           `json:"event"`
	Data     struct {
		Reason string `json:"reason"`
	} `json:"data"`
}

type qmpError struct {
	Desc string `json:"desc"`
}

type command struct {
	Execute   string            `json:"execute"`
	Arguments map[string]string `json:"arguments,omitempty"`
	ID        int               `json:"id"`
}

var errMonitorClosed = errors.New("QEMU closed its monitor")

// newMonitor reads from conn until its other end is closed.
func newMonitor(conn net.Conn) *monitor {
	m := &monitor{
		conn:    conn,
		greeted: make(chan struct{}),
		closed:  make(chan struct{}),
		waiting: map[int]chan message{},
	}
	go m.read()
	return m
}

func (m *monitor) read() {
	defer close(m.closed)
	defer m.conn.Close()
	greet := sync.OnceFunc(func() { close(m.greeted) })
	for decoder := json.NewDecoder(m.conn); ; {
		var msg message
		if err := decoder.Decode(&msg); err != nil {
			return
		}
		if msg.Greeting != nil {
			greet()
			continue
		}
		m.note(msg)
	}
}

// note passes an answer to its waiting caller, and records why the guest stopped.
func (m *monitor) note(msg message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if msg.Event == "SHUTDOWN" {
		m.shutdown = msg.Data.Reason
	}
	if answer, ok := m.waiting[msg.ID]; ok {
		delete(m.waiting, msg.ID)
		answer <- msg
	}
}

func (m *monitor) shutdownReason() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shutdown
}

// negotiate waits for the greeting and leaves the mode in which only capability negotiation is
// allowed.
func (m *monitor) negotiate(ctx context.Context) error {
	select {
	case <-m.greeted:
	case <-m.closed:
		return errMonitorClosed
	case <-ctx.Done():
		return fmt.Errorf("wait for QEMU's monitor: %w", ctx.Err())
	}
	_, err := m.execute(ctx, "qmp_capabilities", nil)
	return err
}

// execute sends one command and returns its answer.
func (m *monitor) execute(ctx context.Context, name string, arguments map[string]string) (json.RawMessage, error) {
	answer, err := m.send(name, arguments)
	if err != nil {
		return nil, fmt.Errorf("QEMU monitor command %s: %w", name, err)
	}
	select {
	case msg := <-answer:
		if msg.Error != nil {
			return nil, fmt.Errorf("QEMU monitor command %s: %s", name, msg.Error.Desc)
		}
		return msg.Return, nil
	case <-m.closed:
		return nil, fmt.Errorf("QEMU monitor command %s: %w", name, errMonitorClosed)
	case <-ctx.Done():
		return nil, fmt.Errorf("QEMU monitor command %s: %w", name, ctx.Err())
	}
}

// send writes one command. The channel has room for one answer, so that the reader never
// blocks on a caller that has given up.
func (m *monitor) send(name string, arguments map[string]string) (<-chan message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastID++
	line, err := json.Marshal(command{Execute: name, Arguments: arguments, ID: m.lastID})
	if err != nil {
		return nil, err
	}
	answer := make(chan message, 1)
	m.waiting[m.lastID] = answer
	if _, err := m.conn.Write(append(line, '\n')); err != nil {
		// A connected local socket fails for no other reason.
		return nil, errMonitorClosed
	}
	return answer, nil
}
