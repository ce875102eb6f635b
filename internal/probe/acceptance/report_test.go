package acceptance

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	goldentest.Equal(t, path, got)
}

func sample() Report {
	return Report{
		Image:       "slm-copilot-1.0.0-x86_64.qcow2",
		Model:       "devstral-small-2",
		Accelerator: "kvm",
		Started:     time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Boots: []Boot{
			{Name: "first boot", Ready: Duration(92500 * time.Millisecond), Results: []Result{
				{
					Key: "health-open", Name: "health needs no password", Passed: true, Duration: Duration(12 * time.Millisecond),
					Requirement: "/health answers.", Remedy: "See `slm-copilot status`.",
				},
				{Key: "chat-answers", Name: "chat answers", Passed: true, Duration: Duration(1200 * time.Millisecond), Detail: "83 characters"},
			}},
		},
	}
}

func failedBoot() Boot {
	return Boot{Name: "after the power cycle", Ready: Duration(time.Minute), Results: []Result{
		{
			Key: "bearer-accepted", Name: "Bearer is accepted", Duration: Duration(time.Second), Detail: "expected status 200, got 401",
			Requirement: "The password is accepted.", Remedy: "Look for a proxy that removes <Authorization>.",
		},
	}}
}

func TestReportOfASuccess(t *testing.T) {
	report := sample()
	assert.True(t, report.Passed())
	golden(t, "passed.txt", []byte(report.Text()))
	text, err := report.JSON()
	require.NoError(t, err)
	golden(t, "passed.json", text)
	var read Report
	require.NoError(t, json.Unmarshal(text, &read))
	assert.Equal(t, report, read)
}

func TestReportOfAFailure(t *testing.T) {
	report := sample()
	report.Boots = append(report.Boots, failedBoot())
	report.Error = "the guest did not shut down"
	assert.False(t, report.Passed())
	assert.Equal(t, []string{"after the power cycle: Bearer is accepted: expected status 200, got 401"}, report.Failures())
	golden(t, "failed.txt", []byte(report.Text()))
	text, err := report.JSON()
	require.NoError(t, err)
	golden(t, "failed.json", text)
}

func TestNothingIsNotASuccess(t *testing.T) {
	assert.False(t, Report{}.Passed())
	ended := sample()
	ended.Error = "QEMU ended"
	assert.False(t, ended.Passed())
}
