package acceptance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// answerTimeout is for a check that needs only nginx; it allows for more than a dozen TLS
	// handshakes of a slow, emulated guest.
	answerTimeout = 2 * time.Minute
	// modelTimeout is more than a large model on a slow host needs for sixteen tokens.
	modelTimeout = 10 * time.Minute
)

// Check tests one promise of the appliance.
type Check struct {
	// Key names the check on the command line and in reports. It stays when the words of Name change.
	Key  string
	Name string
	// Requirement is what the appliance promises, Remedy what to do when it does not keep that; each is one sentence.
	Requirement, Remedy string
	// Timeout limits Run.
	Timeout time.Duration
	// Run returns, in a few words, what was observed, or an error that says what was wrong.
	Run func(context.Context, *Target) (detail string, err error)
}

// Checks returns all checks, in the order in which a client meets the promises. The closed
// routes come last: on an appliance that leaves them open, requesting them stops the model.
func Checks() []Check {
	return slices.Concat(certificateChecks, credentialChecks, answerChecks, engineChecks, routeChecks)
}

var certificateChecks = []Check{
	{
		"root-offered", "root certificate is offered",
		"/ca.pem on the HTTP port is the one root certificate that clients are told to trust, and nothing secret.",
		"Run `slm-copilot configure` on the appliance, which publishes the root again, and trust what `slm-copilot report` shows.",
		answerTimeout, rootOffered,
	},
	{
		"certificate-trusted", "certificate is trusted",
		"The certificate is signed by what clients trust, has not expired, and is valid for the name that they use.",
		"See `certificate` in `slm-copilot report`, and \"The certificate\" in docs/appliance.md for names and renewal.",
		answerTimeout, certificateTrusted,
	},
	{
		"tls-current", "TLS 1.2 and 1.3 are spoken",
		"Clients that speak only TLS 1.2 or only TLS 1.3 can connect.",
		"Look for a proxy or firewall before the appliance that ends TLS; nginx itself speaks both.",
		answerTimeout, currentTLSSpoken,
	},
	{
		"tls-old-refused", "TLS 1.1 is refused",
		"A connection of TLS 1.1 or older is refused with an alert.",
		"Look for a proxy before the appliance that ends TLS, and have it refuse TLS 1.1.",
		answerTimeout, oldTLSRefused,
	},
	{
		"http-redirects", "http redirects to https",
		"What is asked without TLS is sent to https, or refused with an explanation, and never answered.",
		"Look for a proxy before the HTTP port, and name that port with --http-port if it is not 80.",
		answerTimeout, redirects,
	},
}

var credentialChecks = []Check{
	{
		"health-open", "health needs no password",
		"/health answers 200 without a password once the model is loaded.",
		"`slm-copilot status` says what the appliance waits for.",
		answerTimeout, healthOpen,
	},
	{
		"no-credentials-refused", "no credentials are refused",
		"Every route of the API answers 401 without a password, in a form that browsers and libraries understand.",
		"Take the appliance off the network, then run `slm-copilot configure`, which writes the configuration of nginx again.",
		answerTimeout, noCredentialsRefused,
	},
	{
		"wrong-credentials-refused", "wrong credentials are refused",
		"A password that is nearly right is refused, whichever way it is sent.",
		"Take the appliance off the network, then run `slm-copilot configure`, which writes the configuration of nginx again.",
		answerTimeout, wrongCredentialsRefused,
	},
	{
		"bearer-accepted", "Bearer is accepted",
		"The password is accepted as a Bearer token, as OpenAI's clients send it.",
		"Compare the password with `slm-copilot report`, and look for a proxy that removes the header Authorization.",
		answerTimeout, bearerAccepted,
	},
	{
		"basic-accepted", "Basic is accepted",
		"The password is accepted as HTTP Basic of the user copilot, as browsers send it.",
		"Look for a proxy before the appliance that takes the header Authorization for its own.",
		answerTimeout, basicAccepted,
	},
	{
		"api-key-accepted", "x-api-key is accepted",
		"The password is accepted in the header x-api-key, as Anthropic's clients send it.",
		"Look for a proxy before the appliance that removes the header X-Api-Key.",
		answerTimeout, apiKeyAccepted,
	},
}

var answerChecks = []Check{
	{
		"model-listed", "models lists the model",
		"/v1/models lists the model with the length of its context, and each way to ask for it gives the same.",
		"`slm-copilot version` says which model is in the image; see \"Several models\" in docs/appliance.md.",
		answerTimeout, modelListed,
	},
	{
		"chat-answers", "chat answers",
		"A chat is answered with text.",
		"`slm-copilot status` says whether the model is loaded, and `journalctl -u local-ai` why it does not answer.",
		modelTimeout, chatAnswers,
	},
	{
		"chat-streams", "chat streams",
		"A streamed chat arrives token by token and ends with its end mark.",
		"Look for a proxy before the appliance that collects answers or cuts them; else see `journalctl -u local-ai`.",
		modelTimeout, chatStreams,
	},
	{
		"length-told", "an answer cut by max_tokens says length",
		"An answer that max_tokens ends says `length`, so that clients do not take it for complete.",
		"See `journalctl -u slm-copilot-gateway`, and report it with `slm-copilot version`.",
		modelTimeout, lengthTold,
	},
	{
		"tools-called", "a tool is called, and its result is read",
		"The model calls a tool that it is told to call, and goes on when it gets the result.",
		"Take another model of docs/models.md: one that calls no tools is of no use to coding agents.",
		modelTimeout, toolsCalled,
	},
	{
		"responses-answers", "Responses answers",
		"/v1/responses streams text and its last event, as Codex needs it.",
		"See `journalctl -u slm-copilot-gateway` for the request, and chat-answers for the model.",
		modelTimeout, responsesAnswers,
	},
	{
		"messages-answers", "Messages answers",
		"/v1/messages streams text and its last event, and tokens are counted, as Claude Code needs it.",
		"See `journalctl -u slm-copilot-gateway` for the request, and chat-answers for the model.",
		modelTimeout, messagesAnswers,
	},
	{
		"editor-answered", "completion in the editor is answered, or refused",
		"/v1/completions with a suffix fills in the middle, or says that the model does not.",
		"See \"Completion in the editor\" in docs/appliance.md and `journalctl -u slm-copilot-gateway`.",
		modelTimeout, middleFilled,
	},
	{
		"histories-accepted", "histories of agents are accepted",
		"Every order of messages that coding agents send is answered, whatever the chat template refuses.",
		"Run `slm-copilot configure`, which writes the chat template again, and see \"Histories\" in docs/appliance.md.",
		modelTimeout, agentHistoriesAccepted,
	},
}

var engineChecks = []Check{
	{
		"long-prompt-refused", "a prompt too long is refused",
		"A prompt longer than the context is a 400 context_length_exceeded, at which clients summarize the conversation.",
		"See `journalctl -u slm-copilot-gateway`; ONEAPP_COPILOT_CONTEXT_SIZE is the length, and docs/appliance.md what it takes.",
		modelTimeout, longPromptRefused,
	},
	{
		"long-prompt-survived", "a prompt too long is survived",
		"The engine still answers after a prompt that it cannot hold.",
		"`journalctl -u local-ai` says how the engine ended; `slm-copilot-watch` brings it back.",
		modelTimeout, longPromptSurvived,
	},
	{
		"four-at-once", "four clients at once are answered",
		"Four requests at the same time are all answered, one after the other.",
		"See the queue in `slm-copilot status`, and look for a proxy that limits connections.",
		modelTimeout, fourAnswered,
	},
	{
		"gone-client-frees-engine", "a client that goes away frees the engine",
		"Within seconds after a client has disconnected the engine answers the next one.",
		"Ask again when nobody else uses the model; then look for a proxy that keeps connections of clients that went away.",
		modelTimeout, goneClientFrees(freedWithin),
	},
	{
		"signs-of-life", "signs of life while a prompt is read",
		"While a long prompt is read a stream is never silent for long, so that clients do not give up.",
		"Look for a proxy before the appliance that holds answers back (proxy_buffering), else see `journalctl -u slm-copilot-gateway`.",
		modelTimeout, signsOfLife(longestSilence),
	},
	{
		"second-turn-begins-sooner", "a second turn begins no later than the first",
		"What was read of a conversation is kept, so that its second turn does not begin later than its first.",
		"Ask again when nobody else uses the model; then give the machine more MEMORY, and see \"Memory\" in docs/appliance.md.",
		modelTimeout, secondTurnSooner(shortReading),
	},
	{
		"metrics-add-up", "metrics add up and hold no secret",
		"/metrics counts each request that came in as ended or in hand, and holds no password.",
		"See \"Numbers\" in docs/appliance.md, and report it with `slm-copilot version`.",
		answerTimeout, metricsAddUp,
	},
}

var routeChecks = []Check{
	{
		"preflight-open", "preflight needs no password",
		"A web page may ask beforehand, without the password, whether it may use the API.",
		"See ONEAPP_COPILOT_CORS_ORIGINS, and look for a proxy that answers OPTIONS itself.",
		answerTimeout, preflightOpen,
	},
	{
		"cors-once", "CORS headers appear once",
		"Each answer, an error too, has the header Access-Control-Allow-Origin exactly once.",
		"See ONEAPP_COPILOT_CORS_ORIGINS, and look for a proxy that adds the header a second time.",
		answerTimeout, corsOnce,
	},
	{
		"large-body-refused", "a body too large is refused",
		"A request of more than 15,000,000 bytes is a 413 request_too_large before it is read.",
		"Look for a proxy before the appliance that allows or refuses bodies itself.",
		answerTimeout, largeBodyRefused,
	},
	{
		"unknown-not-found", "unknown path is not found",
		"A path that does not exist is a 404 with an error that libraries understand.",
		"Look for a proxy before the appliance that answers with a page of its own.",
		answerTimeout, unknownNotFound,
	},
	{
		"embeddings-refused", "embeddings are refused",
		"/v1/embeddings is a 404 that says that there are none.",
		"Look for a proxy before the appliance that answers with a page of its own.",
		answerTimeout, embeddingsRefused,
	},
	{
		"administration-closed", "administration is closed",
		"No route of LocalAI that changes or shows the machine can be reached, by disguised paths neither.",
		"Take the appliance off the network, then run `slm-copilot configure`, which writes the configuration of nginx again.",
		answerTimeout, administrationClosed,
	},
}

// OverHTTPS returns the checks that do not need the HTTP port.
func OverHTTPS(checks []Check) []Check {
	plain := []string{"root-offered", "http-redirects"}
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return slices.Contains(plain, c.Key) })
}

// Select returns the checks with the keys of only, or all if only is empty, but for those of skip. The order stays.
func Select(checks []Check, only, skip []string) ([]Check, error) {
	keys := Keys(checks)
	var unknown []string
	for _, key := range slices.Concat(only, skip) {
		if !slices.Contains(keys, key) {
			unknown = append(unknown, fmt.Sprintf("%q", key))
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("there is no check %s; the keys are %s", strings.Join(unknown, ", "), strings.Join(keys, ", "))
	}
	chosen := slices.DeleteFunc(slices.Clone(checks), func(c Check) bool {
		return len(only) > 0 && !slices.Contains(only, c.Key) || slices.Contains(skip, c.Key)
	})
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no check is left: all that --only names are skipped, too")
	}
	return chosen, nil
}

// Keys returns the keys of checks, in their order.
func Keys(checks []Check) []string {
	keys := make([]string, len(checks))
	for i, c := range checks {
		keys[i] = c.Key
	}
	return keys
}
