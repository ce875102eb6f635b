// Package localaitest is a test double of LocalAI v4.9.0: its HTTP responses match recordings
// of the real server (testdata/transcripts), but the text consists of nonsense words and no
// model is ever run. It exists so that nginx configuration, the agent and the demo can be
// tested without gigabytes of weights. It is never part of a real appliance.
//
// An answer can be asked for: a last message "Say: TEXT" is answered with TEXT.
//
// It implements what the appliance and its clients use. It does not implement the other APIs
// (Anthropic, Responses, Ollama, embeddings), grammars, model names with a slash or of a
// weights file, and any open maintenance routes except those that unload and load a model.
//
// In its directory, local-ai and llama-cpp-backend are the programs that stand in for the two
// real ones in the demo image.
package localaitest
