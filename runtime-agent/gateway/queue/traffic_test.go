package queue_test

import (
	"math"
	"math/rand/v2"
	"time"
)

// client is what a coding agent sends, in tokens, as it was measured with recorded requests that the
// appliance rendered for its model.
type client struct {
	// first is the length of its first prompt.
	first int
	// title is that of a request of its own that it sends with the first prompt, memory that of one after
	// each answer; 0 for none.
	title, memory int
}

// clients are Claude Code, OpenCode, Qwen Code, pi, Codex, Continue and Cline.
var clients = []client{
	{first: 11_702}, {first: 7160, title: 610}, {first: 17_227, memory: 11_700}, {first: 1263}, {first: 6024}, {first: 1922}, {first: 5288},
}

// exchange is a prompt of a person or the result of a tool, and the answer.
type exchange struct {
	// pause is how long the person or the tool takes before it.
	pause time.Duration
	// added is how many tokens it adds to the prompt, answer how many the answer has.
	added, answer int
	// ends is true for the answer that a person reads: the others are calls of tools.
	ends bool
}

// What a person does: a few conversations, in each of which the agent is asked three times, as in the
// recordings, and calls tools for each answer.
const (
	conversations = 3
	prompts       = 3
	leastCalls    = 3
	mostCalls     = 9
)

// script returns the exchanges of the conversations of one person.
func script(random *rand.Rand) [][]exchange {
	all := make([][]exchange, conversations)
	for i := range all {
		for range prompts {
			pause := seconds(random, 30, 300)
			for range leastCalls + random.IntN(mostCalls-leastCalls+1) {
				all[i] = append(all[i], exchange{pause: pause, added: tokens(random, 20, 400), answer: tokens(random, 25, 150)})
				pause = seconds(random, 1, 5)
			}
			all[i] = append(all[i], exchange{pause: pause, added: tokens(random, 20, 400), answer: tokens(random, 60, 400), ends: true})
		}
	}
	return all
}

func seconds(random *rand.Rand, least, most float64) time.Duration {
	return time.Duration(logNormal(random, least, most) * float64(time.Second))
}

func tokens(random *rand.Rand, least, most float64) int { return int(logNormal(random, least, most)) }

// logNormal returns a number between two limits: the 19 of 20 of the distribution that lie there.
func logNormal(random *rand.Rand, least, most float64) float64 {
	middle, width := (math.Log(least)+math.Log(most))/2, (math.Log(most)-math.Log(least))/4
	for {
		if number := math.Exp(middle + width*random.NormFloat64()); number > least && number < most {
			return number
		}
	}
}
