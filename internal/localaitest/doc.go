// Package localaitest is a test double of LocalAI v4.9.0: the HTTP side answers as the
// real server was recorded to answer (testdata/transcripts), but the text is made of
// nonsense words and no model is ever computed. It exists so that nginx configuration,
// the agent and the demo can be tested without gigabytes of weights. It is never part of
// a real appliance.
//
// Of the recorded traffic it claims what the appliance and its clients meet. It does not
// claim the other APIs (Anthropic, Responses, Ollama, embeddings), grammars, names of
// models with a slash or of a weights file, and of the open maintenance routes any but
// those that unload and load a model.
//
// Below it, local-ai and llama-cpp-backend are the programs that stand in for the two
// real ones in the demo image.
package localaitest
