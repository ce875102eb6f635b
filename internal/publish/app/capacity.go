package app

const (
	// memoryPerVCPU is in MiB: the larger a model, the more there is to compute for each
	// token. With it 32 GiB come to 16, which is what a model of 24 billion parameters in
	// four bits was found to want.
	memoryPerVCPU = 2048
	// minVCPU leaves one for nginx and the system while the model computes; beyond maxVCPU
	// the memory of a host is what limits tokens per second.
	minVCPU, maxVCPU = 2, 16
	// devstralMemory is what fit.Memory says of that model, in MiB.
	devstralMemory = 32768
)

// sized gives the app a virtual machine with so much memory, rounded up to whole GiB, and
// the CPUs that go with it. As many as the guest sees are reserved, because the model keeps
// them all busy.
func (a App) sized(memoryMiB int) App {
	a.MemoryMiB = (memoryMiB + 1023) / 1024 * 1024
	a.VCPU = min(max((a.MemoryMiB+memoryPerVCPU-1)/memoryPerVCPU, minVCPU), maxVCPU)
	a.CPU = a.VCPU
	return a
}
