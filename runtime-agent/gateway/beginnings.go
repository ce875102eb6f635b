package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/beginning"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/program"
)

// maxBeginnings bounds the file with the beginnings, in bytes.
const maxBeginnings = 8 << 20

// self is the name of the gateway as a client of its own: no address.
const self = "gateway"

// warmUp are the attempts to have a beginning read: while the engine loads its model, and while
// others keep it busy.
var warmUp = retry.Policy{Failures: 40, Pause: time.Second, MaxPause: 30 * time.Second}

// beginnings is the file that keeps what prompts begin with over restarts.
type beginnings struct {
	// Model and Created are of the model that they were for: another one has another template, and
	// other limits.
	Model      string                `json:"model"`
	Created    int64                 `json:"created"`
	Beginnings []beginning.Beginning `json:"beginnings"`
}

// kindsOf returns the kinds of prompts that are known, nil if nobody wants to know. Conversations go on
// as they began if the configuration says the same of them as the old one.
func (g *Gateway) kindsOf(c *Config, old *state) *beginning.Kinds {
	if old != nil && old.Model == c.Model && old.Created == c.Created && old.WarmUp == c.WarmUp && old.StablePrompts == c.StablePrompts {
		return old.kinds
	}
	if err := sweep(c); err != nil {
		g.log.Error("what prompts begin with is still stored", "cause", err)
	}
	switch {
	case c.WarmUp:
		return beginning.New(c.StablePrompts, g.load(c))
	case c.StablePrompts:
		return beginning.New(true, nil)
	}
	return nil
}

// sweep removes what a gateway that was killed left behind, and the file itself if it is not wanted.
func sweep(c *Config) error {
	err := atomicfile.Sweep(c.Beginnings)
	if !c.WarmUp {
		err = errors.Join(err, atomicfile.RemoveIfThere(c.Beginnings))
	}
	return err
}

// load reads the file. One that cannot be used is as good as none: it is written anew.
func (g *Gateway) load(c *Config) []beginning.Beginning {
	text, err := guardedfile.Read(c.Beginnings, maxBeginnings)
	var kept beginnings
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		g.log.Error("what prompts begin with has to be learned anew", "cause", err)
	case kept.Model == c.Model && kept.Created == c.Created:
		return kept.Beginnings
	}
	return nil
}

func (g *Gateway) save(s *state) {
	g.storing.Lock()
	defer g.storing.Unlock()
	if g.current.Load() != s {
		return // it may not be wanted any more
	}
	text, err := json.Marshal(beginnings{s.Model, s.Created, s.kinds.Beginnings()})
	if err == nil {
		err = atomicfile.Write(s.Beginnings, text, 0o600, nil)
	}
	if err != nil {
		g.log.Error("what prompts begin with is not stored", "cause", err)
	}
}

// divide is a divider, and notes what prompts begin with.
func (r *request) divide(first, system string, tools []beginning.Tool) (stays, moves string, ordered []beginning.Tool) {
	name := program.Name(r.r.UserAgent(), system)
	if r.kinds == nil || name == program.Other || r.isOwn() || r.name == appliance.PathCountTokens || program.Background(name, system, "", 0) {
		return system, "", tools
	}
	version, _, _ := strings.Cut(r.r.UserAgent(), " ")
	divided, moves := r.kinds.Divide(beginning.Prompt{
		Program: name, Version: version, Conversation: r.session() + " " + nameOf(first), System: system, Tools: tools,
	})
	wake(r.learned)
	return divided.System, moves, divided.Tools
}

// isOwn reports whether the gateway asks itself.
func (r *request) isOwn() bool { return r.r.Header.Get(appliance.HeaderClient) == self }

// wake has somebody look who may be busy.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// keepStored stores what prompts begin with, until ctx is over.
func (g *Gateway) keepStored(ctx context.Context) {
	sessions := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.learned:
			// Further prompts of a session have nothing to store.
			if s := g.current.Load(); s.WarmUp && s.kinds.Sessions() != sessions {
				sessions = s.kinds.Sessions()
				g.save(s)
			}
		}
	}
}

// keepWarm has an engine that has started read what prompts begin with, until ctx is over.
func (g *Gateway) keepWarm(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.cold:
			if s := g.current.Load(); s.WarmUp {
				g.warmUp(ctx, s)
			}
		}
	}
}

// warmUp has the engine read what prompts begin with. It asks as a client would, for an answer of one
// token, and gives way to whoever comes.
func (g *Gateway) warmUp(ctx context.Context, s *state) {
	room := s.CacheTokens
	for i, one := range s.kinds.Beginnings() {
		// What the engine cannot keep together pushes out what it has read, and conversations with it.
		if room -= int(float64(one.Size()) / usualRatio); room < 0 && i > 0 {
			return
		}
		log := g.log.With("program", one.Program)
		began := time.Now()
		err := warmUp.Do(ctx, "have the engine read what the prompts of "+one.Program+" begin with",
			func(failed string) { log.Info("not warm yet", "cause", failed) },
			func(ctx context.Context) error { return g.readBeginning(ctx, s.Model, one) })
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("the first turn of a session will be slow", "cause", err)
		default:
			log.Info("the engine has read what prompts begin with", "seconds", int(time.Since(began).Seconds()))
		}
	}
}

func (g *Gateway) readBeginning(ctx context.Context, model string, one beginning.Beginning) error {
	body, err := json.Marshal(map[string]any{
		"model": model, "max_tokens": 1, "stream": true, "tools": one.Tools,
		"messages": []chat.Message{{Role: chat.System, Content: &one.System}, {Role: chat.User, Content: chat.Text(".")}},
	})
	if err != nil {
		return err
	}
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, engine.PathChat, bytes.NewReader(body))
	if err != nil {
		return err
	}
	asked.Header.Set(appliance.HeaderClient, self)
	answer := &unread{header: http.Header{}}
	g.ServeHTTP(answer, asked)
	switch {
	case answer.failed():
		return retry.Temporary(fmt.Errorf("status %d: %s", answer.status, answer.text.String()))
	case answer.status != http.StatusOK:
		return fmt.Errorf("status %d: %s", answer.status, answer.text.String())
	}
	return nil
}

// unread is the answer to a request that the gateway has asked itself.
type unread struct {
	header http.Header
	status int
	text   bytes.Buffer
}

func (u *unread) Header() http.Header            { return u.header }
func (u *unread) WriteHeader(status int)         { u.status = status }
func (u *unread) Write(part []byte) (int, error) { return u.text.Write(part) }
func (*unread) Flush()                           {}

// failed reports whether there was an error that another attempt may not have: the engine does not
// answer yet, the queue is full, or the stream ended in an error.
func (u *unread) failed() bool {
	return u.status == http.StatusTooManyRequests || u.status == http.StatusServiceUnavailable ||
		bytes.Contains(u.text.Bytes(), []byte(`data: {"type":"error"`))
}
