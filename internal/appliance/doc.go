// Package appliance is the contract between the tools that build the SLM-Copilot
// appliance and the agent that runs inside it: every variable, path, port, name and
// rule that two of them must agree on is written here, once. It does no I/O and
// imports nothing but the standard library, so anything may import it.
package appliance
