package plainhcl

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits that no such file comes near. HCL's parser calls itself for everything that is nested,
// and a file of brackets would exhaust the stack, which no program survives.
const (
	// MaxSize is in bytes.
	MaxSize   = 1 << 18
	maxNested = 1 << 8
)

// plain are the tokens of which a file of plain texts and numbers consists, besides braces. All others
// (brackets, operators, templates) may nest.
var plain = []hclsyntax.TokenType{
	hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenEqual, hclsyntax.TokenNewline, hclsyntax.TokenComment,
	hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote, hclsyntax.TokenEOF,
}

// checkBounds refuses a file that the parser should not be given.
func checkBounds(name, kind string, content []byte) error {
	if len(content) > MaxSize {
		return fmt.Errorf("%s: is not %s: it has more than %d bytes", name, kind, MaxSize)
	}
	// What is wrong with the tokens themselves, the parser finds again.
	tokens, _ := hclsyntax.LexConfig(content, name, hcl.InitialPos)
	nested := 0
	for _, token := range tokens {
		switch {
		case token.Type == hclsyntax.TokenCBrace:
			nested = max(nested-1, 0)
		case !slices.Contains(plain, token.Type):
			nested++
		}
		if nested > maxNested {
			return fmt.Errorf("%s:%d: is not %s: that has blocks of plain texts and numbers, and this is nested deeply", name, token.Range.Start.Line, kind)
		}
	}
	return nil
}
