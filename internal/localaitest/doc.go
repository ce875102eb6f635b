// Package localaitest is a test double of LocalAI v4.9.0: its HTTP responses match recordings
// of the real server (testdata/transcripts), but the text consists of nonsense words and no
// model is ever run. It exists so that nginx configuration, the agent and the demo can be
// tested without gigabytes of weights. It is never part of a real appliance.
//
// An answer can be asked for in the last message of the user: a line "Say: TEXT" is answered with
// TEXT, to the end of the message, and "Call: NAME {...}" with the call of that tool, if the
// request has tools. "Call twice: NAME {...}" gives it as text, and as two calls.
//
// As with llama.cpp, one answer of a model is computed at a time, the prompt is rendered by the
// rules of a chat template (Template), read at a speed, and read only from where it differs from
// the one before, or from one that was kept (Options). A token is a byte of a prompt, and a word of an answer.
//
// It implements what the appliance and its clients use. It does not implement the other APIs
// (Anthropic, Responses, Ollama, embeddings), grammars, reasoning, model names with a slash or of
// a weights file, and any open maintenance routes except those that unload and load a model.
//
// In its directory, local-ai and llama-cpp-backend are the programs that stand in for the two
// real ones in the demo image.
package localaitest
