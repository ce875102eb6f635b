package agentstest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
)

// agent is one coding agent and how it is run unattended.
type agent struct {
	name string
	// sections begin the names of the sections of the report that are about it.
	sections []string
	// program is its path below node_modules.
	program string
	// command is a line of shell: $AGENT is the program, $PROMPT what it is asked to do.
	command string
	// again has it go on with the same conversation.
	again string
	// shell is the name of its tool that runs a command, and arguments are those of that tool.
	shell     string
	arguments func(command string) any
	// summary is found in its request for a summary of the conversation, or in the conversation
	// that it has put one of its own into.
	summary *regexp.Regexp
	// steps is how many outputs of commands make a conversation outgrow the context.
	steps int
	// refused says that it has a conversation summarized when the appliance refuses one as too long.
	// The others do it ahead of time only, as their settings tell them the context size.
	refused bool
	// shows says that it goes on after a refusal, and exits with status 1 all the same.
	shows bool
}

// agents run with their permission checks switched off: they are alone in their namespace.
var agents = []agent{
	{
		name:    "Claude Code",
		summary: regexp.MustCompile("Your task is to create a detailed summary"), steps: 8, refused: true,
		sections: []string{"Claude Code"},
		program:  "@anthropic-ai/claude-code-linux-x64/claude",
		command:  `IS_SANDBOX=1 "$AGENT" -p "$PROMPT" --dangerously-skip-permissions`,
		again:    `IS_SANDBOX=1 "$AGENT" -c -p "$PROMPT" --dangerously-skip-permissions`,
		shell:    "Bash", arguments: described,
	},
	{
		name:    "Codex",
		summary: regexp.MustCompile("CONTEXT CHECKPOINT COMPACTION"), steps: 10,
		sections: []string{"Codex"},
		program:  "@openai/codex/vendor/x86_64-unknown-linux-musl/bin/codex",
		command:  `"$AGENT" exec --dangerously-bypass-approvals-and-sandbox "$PROMPT"`,
		again:    `"$AGENT" exec --dangerously-bypass-approvals-and-sandbox resume --last "$PROMPT"`,
		shell:    "exec_command", arguments: func(command string) any { return map[string]any{"cmd": command} },
	},
	{
		name:    "OpenCode",
		summary: regexp.MustCompile("Here is the conversation so far"), steps: 12, refused: true, shows: true,
		sections: []string{"OpenCode"},
		program:  "opencode-linux-x64/bin/opencode",
		// It puts arguments into quotation marks.
		command: `printf %s "$PROMPT" | "$AGENT" run`,
		again:   `printf %s "$PROMPT" | "$AGENT" run -c`,
		shell:   "bash", arguments: described,
	},
	{
		name:    "Qwen Code",
		summary: regexp.MustCompile("state_snapshot"), steps: 8, refused: true,
		sections: []string{"Qwen Code", "Codex, Qwen Code"},
		program:  ".bin/qwen",
		command:  `"$AGENT" -y -p "$PROMPT"`,
		again:    `"$AGENT" -y -c -p "$PROMPT"`,
		shell:    "run_shell_command",
		arguments: func(command string) any {
			return map[string]any{"command": command, "is_background": false}
		},
	},
	{
		name:    "pi",
		summary: regexp.MustCompile(`(<|\\u003c)conversation`), steps: 14, refused: true,
		sections: []string{"pi", "Codex, Qwen Code"},
		program:  ".bin/pi",
		command:  `"$AGENT" -p "$PROMPT"`,
		again:    `"$AGENT" -c -p "$PROMPT"`,
		shell:    "bash", arguments: func(command string) any { return map[string]any{"command": command} },
	},
	{
		name:    "Continue",
		summary: regexp.MustCompile("Please provide a concise summary"), steps: 14,
		sections: []string{"Continue"},
		program:  ".bin/cn",
		command:  `"$AGENT" --auto -p "$PROMPT"`,
		again:    `"$AGENT" --auto --resume -p "$PROMPT"`,
		shell:    "Bash", arguments: func(command string) any { return map[string]any{"command": command} },
	},
	{
		name:    "Cline",
		summary: regexp.MustCompile("Summarize this session for continuation|Earlier context was compacted"), steps: 12, refused: true,
		sections: []string{"Cline in a terminal"},
		program:  "@cline/cli-linux-x64/bin/cline",
		command:  `"$AGENT" "$PROMPT"`,
		shell:    "run_commands", arguments: func(command string) any { return map[string]any{"commands": []string{command}} },
	},
}

func described(command string) any {
	return map[string]any{"command": command, "description": "Runs a command"}
}

// call is the line that has the stand-in call the agent's tool for a command.
func (a agent) call(command string) string {
	arguments, _ := json.Marshal(a.arguments(command)) // strings can always be encoded
	return "Call: " + a.shell + " " + string(arguments) + "\n"
}

// output is a command that prints 8,000 bytes: agents show the model no more than 10,000 at a time.
// Some stop at a command that they ran before.
func output(step int) string {
	return fmt.Sprintf("yes 'line %2d of the quick brown fox and one dog' | head -n 182", step)
}

// session is one run of an agent.
type session struct {
	// work is the folder that the agent works in.
	work string
	// said is what it wrote to its standard output and error.
	said string
	took time.Duration
	err  error
}

// directory is for an agent, whose helpers may write a last file while it is removed.
func directory(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "agent")
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.Eventually(t, func() bool { return os.RemoveAll(path) == nil }, time.Minute, 10*time.Millisecond)
	})
	return path
}

// run runs the agent in a home and a git repository of its own, with the settings for an
// appliance, until it ends.
func (a agent) run(t *testing.T, appliance clients.Appliance, prompt string, timeout time.Duration) session {
	t.Helper()
	dir := directory(t)
	s := session{work: filepath.Join(dir, "work")}
	write(t, s.work, "README.md", []byte("An empty project.\n"))
	home := filepath.Join(dir, "home")
	script := appliance.Trust().Text + a.configure(t, appliance, home) + a.command

	program, err := filepath.Abs(filepath.Join(installed, "node_modules", a.program))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-euc", "git init -q .\n"+script)
	shell.Dir = s.work
	shell.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AGENT=" + program, "PROMPT=" + prompt, "TERM=dumb", "LANG=C.UTF-8"}
	// An agent may leave processes behind that keep its output open.
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	shell.WaitDelay = time.Second
	began := time.Now()
	said, err := shell.CombinedOutput()
	_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) // nothing may be left of it
	s.said, s.took, s.err = string(said), time.Since(began), err
	t.Logf("%s took %s, %v, and said:\n%s", a.name, s.took.Round(time.Second), err, s.said)
	return s
}

// configure writes the sections that name a file below the home, and returns the others, which are
// for a shell.
func (a agent) configure(t *testing.T, appliance clients.Appliance, home string) (script string) {
	t.Helper()
	for _, snippet := range appliance.Snippets() {
		title, path, isFile := strings.Cut(snippet.Name, ": ~/")
		for _, section := range a.sections {
			switch {
			case !strings.HasPrefix(title, section):
			case isFile:
				write(t, home, path, []byte(snippet.Text))
			default:
				script += snippet.Text
			}
		}
	}
	return script
}
