package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func metricsAddUp(ctx context.Context, t *Target) (string, error) {
	answer, err := t.ask(ctx, http.MethodGet, appliance.PathMetrics, t.authorized)
	if err != nil {
		return "", err
	}
	if bytes.Contains(answer.body, []byte(t.Password)) {
		return "", errors.New("they contain the password")
	}
	if err := answer.expect(http.StatusOK); err != nil {
		return "", err
	}
	sums, err := sumsOf(answer.body)
	if err != nil {
		return "", err
	}
	received, ended, inHand := sums[appliance.MetricReceived], sums[appliance.MetricRequests], sums[appliance.MetricInHand]
	// This request came in and has not ended.
	if received < 1 || inHand < 1 || received != ended+inHand {
		return "", fmt.Errorf("expected requests received to be those that ended and those in hand, this one included, got %v, %v and %v", received, ended, inHand)
	}
	return fmt.Sprintf("%.0f requests came in, %.0f of them in hand", received, inHand), nil
}

// sumsOf returns the sum of each number in Prometheus's text format over all its labels.
func sumsOf(text []byte) (map[string]float64, error) {
	sums := map[string]float64{}
	for line := range bytes.Lines(text) {
		line := strings.TrimSpace(string(line))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		// The gateway writes no time after the value, and a label may contain a blank.
		end := strings.LastIndexByte(line, ' ') + 1
		number, err := strconv.ParseFloat(line[end:], 64)
		if err != nil {
			return nil, fmt.Errorf("expected a number at the end of the line %q", quoted([]byte(line)))
		}
		name, _, _ := strings.Cut(strings.TrimSpace(line[:end]), "{")
		sums[name] += number
	}
	return sums, nil
}
