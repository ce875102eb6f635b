package app

const (
	// memoryPerVCPU is in MiB: the larger a model, the more there is to compute per token.
	// 32 GiB give 16 VCPUs, which a 24-billion-parameter model quantized to four bits was
	// found to need.
	memoryPerVCPU = 2048
	// minVCPU leaves one for nginx and the system while the model computes; beyond maxVCPU
	// the memory bandwidth of the host limits tokens per second.
	minVCPU, maxVCPU = 2, 16
)

// sized gives the app a virtual machine with memoryMiB of memory, rounded up to whole GiB,
// and the matching number of CPUs. All CPUs the guest sees are reserved, because the model
// keeps them busy.
func (a App) sized(memoryMiB int) App {
	a.MemoryMiB = gibibytes(memoryMiB) * 1024
	a.VCPU = min(max((a.MemoryMiB+memoryPerVCPU-1)/memoryPerVCPU, minVCPU), maxVCPU)
	a.CPU = a.VCPU
	return a
}

func gibibytes(memoryMiB int) int { return (memoryMiB + 1023) / 1024 }
