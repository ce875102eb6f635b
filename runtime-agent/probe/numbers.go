package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Numbers are what the gateway has counted.
type Numbers []sample

type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// maxNumbers bounds what is read of them, in bytes: with 64 keys there are a few hundred kilobytes.
const maxNumbers = 16 << 20

// NumbersOf asks the gateway that listens on a socket, which root and nginx may.
func NumbersOf(ctx context.Context, socket string) (Numbers, error) {
	ctx, cancel := context.WithTimeout(ctx, answersTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://gateway"+appliance.PathMetrics, nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: ThroughSocket(socket)}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	numbers := parseNumbers(io.LimitReader(response.Body, maxNumbers))
	if numbers.Sum(appliance.MetricStart) == 0 {
		return nil, fmt.Errorf("the gateway answers %s, without numbers", response.Status)
	}
	return numbers, nil
}

// ThroughSocket reaches a server at a Unix socket, whatever host a URL names.
func ThroughSocket(path string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}
}

var (
	sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? (\S+)$`)
	sampleTag  = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
)

// parseNumbers reads Prometheus's exposition format as the gateway writes it: no label has a quote in it.
func parseNumbers(r io.Reader) Numbers {
	var numbers Numbers
	for lines := bufio.NewScanner(r); lines.Scan(); {
		found := sampleLine.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		value, err := strconv.ParseFloat(found[3], 64)
		if err != nil {
			continue
		}
		next := sample{name: found[1], labels: map[string]string{}, value: value}
		for _, tag := range sampleTag.FindAllStringSubmatch(found[2], -1) {
			next.labels[tag[1]] = tag[2]
		}
		numbers = append(numbers, next)
	}
	return numbers
}

// Sum adds the numbers of a name that have all the labels, which are pairs of a name and a value.
func (n Numbers) Sum(name string, labels ...string) float64 {
	total := 0.0
	for _, s := range n {
		if s.name == name && s.has(labels) {
			total += s.value
		}
	}
	return total
}

// Values returns the values that a label of a number has, each once.
func (n Numbers) Values(name, label string) []string {
	var values []string
	for _, s := range n {
		if value := s.labels[label]; s.name == name && value != "" && !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	return values
}

func (s sample) has(labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		if s.labels[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}
