package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localairun"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/onecontext"
)

// configured is an appliance in a directory: all files that the agent writes for the model.
type configured struct {
	agent, root  string
	installation localairun.Installation
}

// configure has the agent configure an appliance with the model in a new directory.
func configure(ctx context.Context, o options, root string) (configured, error) {
	c := configured{o.agent, root, localairun.Installation{Binary: o.localai, Backends: o.backends, Weights: o.model}}
	baked, err := json.Marshal(appliance.Baked{BakedModel: appliance.BakedModel{ModelID: appliance.ModelID}})
	if err != nil {
		return c, err
	}
	settings := c.path("context.sh")
	err = errors.Join(
		c.put(appliance.BakedFile, baked),
		os.MkdirAll(c.path(appliance.ModelsDir), 0o755),
		os.Symlink(o.model, c.path(filepath.Join(appliance.ModelsDir, appliance.ModelFile))),
		os.WriteFile(settings, onecontext.Format(map[string]string{
			appliance.VarContextSize: strconv.Itoa(contextSize), appliance.VarThreads: strconv.Itoa(processors()),
		}), 0o644),
		os.MkdirAll(c.path(filepath.Dir(appliance.GatewaySocket)), 0o755))
	if err != nil {
		return c, fmt.Errorf("lay out an appliance: %w", err)
	}
	said, err := exec.CommandContext(ctx, c.agent, "--root", c.root, "configure", "--context", settings).CombinedOutput()
	if err != nil {
		return c, fmt.Errorf("%s configure: %w: %s", c.agent, err, said)
	}
	return c, nil
}

func (c configured) path(path string) string { return filepath.Join(c.root, path) }

func (c configured) put(path string, content []byte) error {
	path = c.path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// rendered returns what the agent has written for LocalAI.
func (c configured) rendered() (localairun.Rendered, error) {
	var r localairun.Rendered
	var failed []error
	for path, to := range map[string]*[]byte{
		appliance.LocalAIEnvFile:                        &r.Environment,
		appliance.ModelConfigDir + "/model.yaml":        &r.ModelFile,
		appliance.UnitDir + "/" + appliance.LocalAIUnit: &r.Unit,
	} {
		text, err := os.ReadFile(c.path(path))
		*to = text
		failed = append(failed, err)
	}
	var err error
	if r.ChatTemplate, err = os.ReadFile(c.path(appliance.ChatTemplateFile)); !errors.Is(err, os.ErrNotExist) {
		failed = append(failed, err) // only some models need one
	}
	return r, errors.Join(failed...)
}

// localAI starts LocalAI, and returns when the model is loaded.
func (c configured) localAI(ctx context.Context) (*running, error) {
	files, err := c.rendered()
	if err != nil {
		return nil, fmt.Errorf("read what the agent wrote: %w", err)
	}
	key, err := os.ReadFile(c.path(appliance.EngineKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read LocalAI's key: %w", err)
	}
	dir, err := os.MkdirTemp(c.root, "run-")
	if err != nil {
		return nil, err
	}
	began := time.Now()
	engine, err := localairun.Start(c.installation, dir, files)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := engine.WaitUntilServing(limited); err != nil {
		engine.End()
		return nil, err
	}
	return &running{
		url: engine.URL, client: &http.Client{}, key: strings.TrimSpace(string(key)), load: time.Since(began), end: engine.End,
		pids: func() []int { return append(engine.Backends(), engine.PID()) },
	}, nil
}

// start starts LocalAI, and the gateway in front of it, and returns when the model is loaded.
func (c configured) start(ctx context.Context) (*running, error) {
	engine, err := c.localAI(ctx)
	if err != nil {
		return nil, err
	}
	gateway, err := c.gateway(ctx, strings.TrimPrefix(engine.url, "http://"))
	if err != nil {
		engine.end()
		return nil, err
	}
	return &running{
		url: "http://gateway", client: c.client(), load: engine.load, end: func() { gateway.end(); engine.end() },
		pids: func() []int { return append(engine.pids(), gateway.command.Process.Pid) },
	}, nil
}

// gateway starts the gateway before an engine and returns when it listens.
func (c configured) gateway(ctx context.Context, engine string) (*child, error) {
	config, err := os.ReadFile(c.path(appliance.GatewayConfigFile))
	if err != nil {
		return nil, err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(config, &values); err != nil {
		return nil, fmt.Errorf("%s: %w", appliance.GatewayConfigFile, err)
	}
	values["engine"] = json.RawMessage(strconv.Quote(engine))
	if config, err = json.Marshal(values); err != nil {
		return nil, err
	}
	if err := c.put(appliance.GatewayConfigFile, config); err != nil {
		return nil, err
	}
	gateway, err := start("the gateway", os.Environ(), c.agent, "--root", c.root, "gateway")
	if err != nil {
		return nil, err
	}
	listens := func(ctx context.Context) bool {
		connection, err := (&net.Dialer{}).DialContext(ctx, "unix", c.path(appliance.GatewaySocket))
		return err == nil && connection.Close() == nil
	}
	if err := gateway.await(ctx, listens); err != nil {
		gateway.end()
		return nil, err
	}
	return gateway, nil
}

// client asks the gateway as nginx does.
func (c configured) client() *http.Client {
	return &http.Client{Transport: asNginx{&http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.path(appliance.GatewaySocket))
		},
	}}}
}

// asNginx adds what nginx tells the gateway of a client.
type asNginx struct{ http.RoundTripper }

func (t asNginx) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(appliance.HeaderClient, "192.0.2.1")
	r.Header.Set(appliance.HeaderKey, appliance.APIUser)
	return t.RoundTripper.RoundTrip(r)
}
