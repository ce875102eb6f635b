package synthetic

import (
	"math/rand/v2"
	"slices"
	"strings"
)

const consonants, vowels = "bcdfghjklmnpqrstvwxyz", "aeiou"

// words are all of a consonant, a vowel and a consonant. Each is one token, with the blank before it.
func words() []string {
	var all []string
	for _, first := range consonants {
		for _, vowel := range vowels {
			for _, last := range consonants {
				all = append(all, string([]rune{first, vowel, last}))
			}
		}
	}
	return all
}

// newRandom returns numbers that are the same each time, for one of several purposes.
func newRandom(seed, purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, purpose)) //nolint:gosec // no secret is made of them
}

// walk is the order in which the model says the words, round and round.
func walk() []string {
	all := words()
	newRandom(1, 0).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// Text makes prompts whose answers are known. No two prompts of one Text have the same answer, so that nothing of one
// helps with another.
type Text struct {
	walk   []string
	at     int
	random *rand.Rand
}

// NewText begins anew; the same seed gives the same prompts.
func NewText(seed uint64) *Text { return &Text{walk: walk(), random: newRandom(seed, 1)} }

// Filler returns words in no order, which nothing follows from.
func (t *Text) Filler(n int) string {
	var out strings.Builder
	for range n {
		out.WriteString(" " + t.walk[t.random.IntN(len(t.walk))])
	}
	return out.String()
}

// New returns a prompt of n tokens and its answer, of which the prompt has nothing.
func (t *Text) New(n, answer int) (prompt, says string) {
	last, says := t.next(answer)
	return t.Filler(n-1) + last, says
}

// Edit returns a prompt that holds its answer but for one word of every so many, and the answer.
func (t *Text) Edit(answer, every int) (prompt, says string) {
	last, says := t.next(answer)
	kept := strings.Fields(says)
	for i := every / 2; i < len(kept); i += every {
		kept[i] = strings.TrimSpace(t.Filler(1))
	}
	return " " + strings.Join(kept, " ") + t.Filler(8) + last, says
}

// next returns a word with the answer that follows it.
func (t *Text) next(n int) (last, says string) {
	all := make([]string, n+1)
	for i := range all {
		all[i] = " " + t.walk[t.at%len(t.walk)]
		t.at++
	}
	return all[0], strings.Join(all[1:], "")
}

// After returns the words that the model says after one.
func After(word string, n int) []string {
	all := walk()
	at := slices.Index(all, word)
	var after []string
	for i := range n {
		after = append(after, all[(at+1+i)%len(all)])
	}
	return after
}
