package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// quotaFiles are the CPU quotas the engine's unit inherits: its slice's, and the root's if
// the machine is a container. The agent's own cgroup differs between a unit, the hook of
// one-context and a shell, and the engine's exists only after its first start: a second run
// would get another result.
var quotaFiles = []string{"/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/system.slice/cpu.max"}

func readProcessors(root string, facts *Facts) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return fmt.Errorf("read which processors may be used: %w", err)
	}
	var allowed []int
	for cpu := 0; len(allowed) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			allowed = append(allowed, cpu)
		}
	}
	facts.CPUs = len(allowed)
	facts.Threads = threads(cores(allowed, func(cpu int) string { return siblings(root, cpu) }), quotas(root))

	cpuinfo, err := os.ReadFile(filepath.Join(root, "/proc/cpuinfo"))
	if err != nil {
		return fmt.Errorf("read the features of the processor: %w", err)
	}
	facts.Processor = parseProcessor(string(cpuinfo))
	return nil
}

// siblings identifies the core of a processor by the list of processors that share it, or is
// empty where the kernel does not say. Core ids do not suffice: they repeat in each socket,
// and a virtual machine often has as many sockets as processors.
func siblings(root string, cpu int) string {
	path := filepath.Join(root, "/sys/devices/system/cpu", "cpu"+strconv.Itoa(cpu), "topology/thread_siblings_list")
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// quotas returns the lowest quota in processors, or 0 if there is none.
func quotas(root string) float64 {
	lowest := 0.0
	for _, path := range quotaFiles {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			continue // not limited here, or not cgroup v2
		}
		if quota := parseQuota(string(text)); quota > 0 && (lowest == 0 || quota < lowest) {
			lowest = quota
		}
	}
	return lowest
}

// parseQuota reads cpu.max, "<microseconds or max> <period>", and returns the quota in
// processors; 0 is none.
func parseQuota(text string) float64 {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0
	}
	quota, err := strconv.ParseUint(fields[0], 10, 63)
	if err != nil {
		return 0 // mostly "max"
	}
	period, err := strconv.ParseUint(fields[1], 10, 63)
	if err != nil || period == 0 {
		return 0
	}
	return float64(quota) / float64(period)
}

// cores counts the cores of the allowed processors. Two threads of one core share its
// arithmetic units, which one inference thread keeps busy.
func cores(allowed []int, siblings func(cpu int) string) int {
	found := map[string]bool{}
	for _, cpu := range allowed {
		core := siblings(cpu)
		if core == "" {
			core = "cpu" + strconv.Itoa(cpu)
		}
		found[core] = true
	}
	return len(found)
}

// threads is one for each core, less if a quota (in processors, 0 for none) is lower. A
// thread that has to wait makes all others wait: measured on 2 processors, 2 threads give
// 58.3 tokens/s, 3 give 43.9.
func threads(cores int, quota float64) int {
	if quota > 0 && quota < float64(cores) {
		cores = int(quota)
	}
	return max(cores, 1)
}

// Warnings say what makes inference slower than it could be. threads is the number the user
// set, 0 if none.
func (f Facts) Warnings(threads int) []string {
	var warnings []string
	if f.Processor.NoAVX2 {
		warnings = append(warnings, "the virtual processors lack AVX2, which makes inference 14 times slower"+
			" (measured: 4.1 tokens/s instead of 56.9)."+
			` Add CPU_MODEL=[MODEL="host-passthrough"] to the template of the virtual machine`)
	}
	if hidden := f.Processor.Hidden; len(hidden) > 0 && !f.Processor.NoAVX2 {
		warnings = append(warnings, fmt.Sprintf("the processor, %s, has %s, which the virtual machine does not show, so the engine computes with slower instructions."+
			` Add CPU_MODEL=[MODEL="host-passthrough"] to the template of the virtual machine; if it is there, the host's kernel or QEMU is too old for them`, f.Processor.Model, strings.Join(hidden, ", ")))
	}
	if threads > f.CPUs {
		warnings = append(warnings, fmt.Sprintf("%d threads on %d processors are slower than one thread per processor"+
			" (measured: 3 threads on 2 lose a quarter). Give the virtual machine more VCPU, or set fewer threads", threads, f.CPUs))
	}
	return warnings
}
