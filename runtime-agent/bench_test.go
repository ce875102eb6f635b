package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// BenchmarkConfigureCold configures a machine that has nothing yet: secrets, root and server
// certificate are made.
func BenchmarkConfigureCold(b *testing.B) {
	agent := buildAgent(b)
	benchmarkConfigure(b, agent, func() string { return newVM(b).root })
}

// BenchmarkConfigureNoOp configures one that is configured already, as one-context does at
// each boot and after each change of the hardware.
func BenchmarkConfigureNoOp(b *testing.B) {
	agent := buildAgent(b)
	root := newVM(b).root
	require.NoError(b, exec.Command(agent, "--root", root, "configure").Run())
	benchmarkConfigure(b, agent, func() string { return root })
}

func benchmarkConfigure(b *testing.B, agent string, root func() string) {
	var processor float64
	for b.Loop() {
		b.StopTimer()
		command := exec.Command(agent, "--root", root(), "configure")
		b.StartTimer()
		require.NoError(b, command.Run())
		processor += float64((command.ProcessState.UserTime() + command.ProcessState.SystemTime()).Microseconds())
	}
	b.ReportMetric(processor/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(peakMemory(b, agent, "--root", root(), "configure")), "rss-KiB")
	b.ReportMetric(float64(systemCalls(b, agent, "--root", root(), "configure")), "syscalls/op")
	info, err := os.Stat(agent)
	require.NoError(b, err)
	b.ReportMetric(float64(info.Size()), "binary-bytes")
}

// peakMemory samples several runs: a short one may end between two samples. The kernel's own
// number at the end of a process includes the memory of its parent.
func peakMemory(b *testing.B, program string, args ...string) (kibibytes int) {
	b.Helper()
	for range 10 {
		kibibytes = max(kibibytes, watchMemory(b, program, args...))
	}
	return kibibytes
}

func watchMemory(b *testing.B, program string, args ...string) (kibibytes int) {
	b.Helper()
	command := exec.Command(program, args...)
	require.NoError(b, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(command.Process.Pid) + "/status")
		if _, after, found := strings.Cut(string(text), "VmHWM:"); found && strings.Contains(string(text), "Name:\tslm-copilot") {
			now, err := strconv.Atoi(strings.Fields(after)[0])
			require.NoError(b, err)
			kibibytes = max(kibibytes, now)
		}
		select {
		case err := <-ended:
			require.NoError(b, err)
			return kibibytes
		default:
		}
	}
}

// systemCalls counts those of one run.
func systemCalls(b *testing.B, program string, args ...string) int {
	b.Helper()
	summary := filepath.Join(b.TempDir(), "summary")
	out, err := exec.Command("strace", append([]string{"-f", "-c", "-o", summary, program}, args...)...).CombinedOutput()
	require.NoError(b, err, "strace (make setup installs it): %s", out)
	text, err := os.ReadFile(summary)
	require.NoError(b, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	// "100.00    0.012345          12      1234        56 total"
	calls, err := strconv.Atoi(strings.Fields(lines[len(lines)-1])[3])
	require.NoError(b, err, "%s", text)
	return calls
}

// BenchmarkReady is the time from the start of bootstrap to READY when the model answers at
// once: what the agent itself adds.
func BenchmarkReady(b *testing.B) {
	v := newVM(b)
	v.configure(map[string]string{appliance.VarPassword: "the-password"})
	v.serve()
	for b.Loop() {
		code, _, stderr := v.run("bootstrap", "--timeout", "1m")
		require.Zero(b, code, stderr)
	}
}
