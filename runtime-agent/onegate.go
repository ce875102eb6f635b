package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/onegate"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

// reportToOneGate reports to OneGate if the context names it. A failure changes nothing else.
func reportToOneGate(ctx context.Context, root string, log *logfile.Log, pairs map[string]string) {
	found, err := vmcontext.FindLastGood(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("no report to OneGate: %v", err)
		return
	}
	client := onegate.New(found.Values[appliance.VarOneGateEndpoint], found.Token, found.Values[appliance.VarVMID])
	if client == nil {
		log.Info("no report to OneGate: the context has no %s, or no token (set TOKEN=YES in the template)", appliance.VarOneGateEndpoint)
		return
	}
	if err := client.Report(ctx, pairs, func(failure string) { log.Info("OneGate: %s", failure) }); err != nil {
		log.Warn("%v", err)
	}
}

// readyComesEarly reports whether one-context also reports to OneGate, and before the agent.
func readyComesEarly(root string, values map[string]string) bool {
	_, err := os.Stat(filepath.Join(root, appliance.ReadyHook))
	return err == nil && values[appliance.VarReportReady] == "YES" &&
		values[appliance.VarReadyScript] == "" && values[appliance.VarReadyScriptPath] == ""
}
