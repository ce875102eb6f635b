// Package gguf reads the header of a GGUF file, the file format of llama.cpp's weights, and
// writes a tiny valid one for tests and for the demo.
//
// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
package gguf
