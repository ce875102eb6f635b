package queue

import "time"

// pace is how fast the engine works, as measured.
type pace struct {
	// read tokens took time, of late.
	read int
	time time.Duration
	// answer is how long answers took from their first token on.
	answer time.Duration
}

// usualPace is that before anything was measured: a model of 24B on some 16 cores.
var usualPace = pace{read: 1000, time: 40 * time.Second, answer: 30 * time.Second}

// leastMeasured is the length in tokens of the shortest reading that says how long tokens take: a shorter
// one may have waited for as long, until the engine stopped to read what was taken back for it, or is
// mostly the time for tool calls: LocalAI tells of those at their end.
const leastMeasured = 1000

func (p *pace) learnReading(tokens int, took time.Duration) {
	if tokens >= leastMeasured {
		p.read = p.read*3/4 + tokens
		p.time = p.time*3/4 + took
	}
}

func (p *pace) learnAnswer(took time.Duration) { p.answer = (3*p.answer + took) / 4 }

// reading returns how long tokens take to be read.
func (p *pace) reading(tokens int) time.Duration {
	return time.Duration(float64(tokens) * float64(p.time) / float64(p.read))
}

// tokens returns how many are read in a time.
func (p *pace) tokens(in time.Duration) int {
	return int(float64(in) * float64(p.read) / float64(max(p.time, 1)))
}
