package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
)

// showUsage shows who has used the model since the gateway started, as its numbers tell.
func (a app) showUsage(ctx context.Context) error {
	numbers, err := probe.NumbersOf(ctx, a.path(appliance.GatewaySocket))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return errors.New("the gateway answers root alone: run this as root")
	case err != nil:
		return fmt.Errorf("ask the gateway for its numbers (see journalctl -u %s): %w", appliance.GatewayUnit, err)
	}
	_, err = fmt.Fprint(a.stdout, usageOf(numbers))
	return err
}

// sections are the parts of the usage; one that has nothing to say is empty.
var sections = []func(probe.Numbers) string{usageByKey, usageByProgram, readAgain}

// usageOf is the usage for people.
func usageOf(numbers probe.Numbers) string {
	since := time.Unix(int64(numbers.Sum(appliance.MetricStart)), 0).UTC().Format(time.RFC3339)
	if received(numbers) == 0 {
		return fmt.Sprintf("Nobody has asked the model since %s, when the gateway started.\n", since)
	}
	out := fmt.Sprintf("Since %s, when the gateway started:\n", since)
	for _, section := range sections {
		if text := section(numbers); text != "" {
			out += "\n" + text
		}
	}
	return out
}

// answering are the routes whose requests the model answers.
var answering = []string{appliance.PathChat, appliance.PathCompletions, appliance.PathResponses, appliance.PathMessages}

// received is how many requests with the labels came in for the model.
func received(numbers probe.Numbers, labels ...string) (count float64) {
	for _, route := range answering {
		count += numbers.Sum(appliance.MetricReceived, append(labels, "route", route)...)
	}
	return count
}

// refused is how many of them ended in an error. Clients that went away were not refused.
func refused(numbers probe.Numbers, labels ...string) (count float64) {
	for _, status := range numbers.Values(appliance.MetricRequests, "status") {
		if code, _ := strconv.Atoi(status); code < http.StatusBadRequest || code == gateway.StatusGone {
			continue
		}
		for _, route := range answering {
			count += numbers.Sum(appliance.MetricRequests, append(labels, "route", route, "status", status)...)
		}
	}
	return count
}

// usageByKey has a row for each key that was used, the one for which the engine worked longest first.
func usageByKey(numbers probe.Numbers) string {
	keys := slices.DeleteFunc(numbers.Values(appliance.MetricReceived, "key"), func(key string) bool {
		return received(numbers, "key", key) == 0
	})
	worked := func(key string) float64 { return numbers.Sum(appliance.MetricEngineSeconds, "key", key) }
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(worked(b), worked(a)), cmp.Compare(a, b))
	})
	rows := table{{"key", "requests", "prompt tokens", "of which new", "answer tokens", "engine seconds", "refused"}}
	for _, key := range keys {
		rows = append(rows, []string{
			key,
			whole(received(numbers, "key", key)),
			whole(numbers.Sum(appliance.MetricPromptTokens, "key", key)),
			whole(numbers.Sum(appliance.MetricPromptTokens, "key", key, "state", "new")),
			whole(numbers.Sum(appliance.MetricAnswerTokens, "key", key)),
			whole(worked(key)),
			whole(refused(numbers, "key", key)),
		})
	}
	return rows.String()
}

func whole(number float64) string { return strconv.FormatFloat(number, 'f', 0, 64) }

// table is rows of cells, the first of which is the heading.
type table [][]string

// String aligns the first column on the left, and the numbers on the right.
func (t table) String() string {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var out strings.Builder
	for _, row := range t {
		fmt.Fprintf(&out, "%-*s", widths[0], row[0])
		for i, cell := range row[1:] {
			fmt.Fprintf(&out, "  %*s", widths[i+1], cell)
		}
		out.WriteByte('\n')
	}
	return out.String()
}
