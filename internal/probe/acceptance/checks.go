package acceptance

import (
	"context"
	"slices"
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
	Name string
	// Timeout limits Run.
	Timeout time.Duration
	// Run returns, in a few words, what was observed, or an error that says what was wrong.
	Run func(context.Context, *Target) (detail string, err error)
}

// Checks returns all checks, in the order in which a client meets the promises. The closed
// routes come last: on an appliance that leaves them open, requesting them stops the model.
func Checks() []Check {
	return []Check{
		{"root certificate is offered", answerTimeout, rootOffered},
		{"certificate is trusted", answerTimeout, certificateTrusted},
		{"TLS 1.2 and 1.3 are spoken", answerTimeout, currentTLSSpoken},
		{"TLS 1.1 is refused", answerTimeout, oldTLSRefused},
		{"http redirects to https", answerTimeout, redirects},
		{"health needs no password", answerTimeout, healthOpen},
		{"no credentials are refused", answerTimeout, noCredentialsRefused},
		{"wrong credentials are refused", answerTimeout, wrongCredentialsRefused},
		{"Bearer is accepted", answerTimeout, bearerAccepted},
		{"Basic is accepted", answerTimeout, basicAccepted},
		{"x-api-key is accepted", answerTimeout, apiKeyAccepted},
		{"models lists the model", answerTimeout, modelListed},
		{"chat answers", modelTimeout, chatAnswers},
		{"chat streams", modelTimeout, chatStreams},
		{"Responses answers", modelTimeout, responsesAnswers},
		{"Messages answers", modelTimeout, messagesAnswers},
		{"completion in the editor is answered, or refused", modelTimeout, middleFilled},
		{"histories of agents are accepted", modelTimeout, agentHistoriesAccepted},
		{"a prompt too long is refused", modelTimeout, longPromptRefused},
		{"a prompt too long is survived", modelTimeout, longPromptSurvived},
		{"preflight needs no password", answerTimeout, preflightOpen},
		{"CORS headers appear once", answerTimeout, corsOnce},
		{"unknown path is not found", answerTimeout, unknownNotFound},
		{"embeddings are refused", answerTimeout, embeddingsRefused},
		{"administration is closed", answerTimeout, administrationClosed},
	}
}

// OverHTTPS returns the checks that do not need the HTTP port.
func OverHTTPS(checks []Check) []Check {
	plain := []string{"root certificate is offered", "http redirects to https"}
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return slices.Contains(plain, c.Name) })
}
