// Package agentstest runs real coding agents, as npm serves them, against what clients of an
// appliance meet: the nginx with the rendered site, the gateway, and behind it a stand-in for
// LocalAI. The agents get the settings that the report prints, and no network. It holds tests
// only: make test-agents runs them.
package agentstest
