package probe

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func TestLoadOf(t *testing.T) {
	directory, err := os.MkdirTemp("", "load") // a socket's path has 107 bytes at most
	require.NoError(t, err)
	defer os.RemoveAll(directory)
	socket := filepath.Join(directory, "socket")
	_, err = LoadOf(t.Context(), socket)
	require.Error(t, err, "nobody listens")

	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	numbers := ""
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, numbers) }))
	server.Listener = listener
	server.Start()
	defer server.Close()
	_, err = LoadOf(t.Context(), socket)
	require.ErrorContains(t, err, "the gateway answers 200 OK, without numbers")

	numbers = "# HELP\nother 7\n" + appliance.MetricStart + " 1796029952\n" + appliance.MetricRunning + " 1\n" + appliance.MetricWaiting + " 3\n" + appliance.MetricRequests + `{route="/x",status="200"} 12` + "\n"
	load, err := LoadOf(t.Context(), socket)
	require.NoError(t, err)
	assert.Equal(t, Load{Waiting: 3, Running: 1}, load)
}
