package probe

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Load is what the gateway has to do at one moment, in requests.
type Load struct{ Waiting, Running int }

// LoadOf asks the gateway that listens on a socket, which root and nginx may.
func LoadOf(ctx context.Context, socket string) (Load, error) {
	ctx, cancel := context.WithTimeout(ctx, answersTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://gateway"+appliance.PathMetrics, nil)
	if err != nil {
		return Load{}, err
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
	response, err := client.Do(request)
	if err != nil {
		return Load{}, err
	}
	defer response.Body.Close()
	found := map[string]int{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if number, err := strconv.Atoi(value); err == nil {
			found[name] = number
		}
	}
	waiting, known := found[appliance.MetricWaiting]
	if !known {
		return Load{}, fmt.Errorf("the gateway answers %s, without numbers", response.Status)
	}
	return Load{Waiting: waiting, Running: found[appliance.MetricRunning]}, nil
}
