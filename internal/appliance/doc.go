// Package appliance is the contract between the tools that build the SLM-Copilot appliance and
// the agent that runs inside it: every variable, path, port, name and rule that two of them
// must agree on is defined here, once. It does no I/O and imports only the standard library,
// so any package may import it.
package appliance
