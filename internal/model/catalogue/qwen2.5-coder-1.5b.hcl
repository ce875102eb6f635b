# Digest and size: several unrelated public repositories pin the same file and agree.
# Sampling and shape: as for qwen2.5-coder-7b.hcl. Its embeddings are tied, but this file has an output
# matrix all the same: other files of it in Q4_K_M are smaller by just that.
model "qwen2.5-coder-1.5b" {
  name    = "Qwen2.5-Coder 1.5B"
  purpose = "the smallest machines; completion in the editor"
  maker   = "Alibaba's Qwen team in China"
  license = "Apache-2.0"
  card    = "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF"

  version = "2.5"
  source  = "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/f86cb2c1fa58255f8052cc32aeede1b7482d4361/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
  size    = 1117320768
  digest  = "sha256:cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"

  architecture = "qwen2"
  parameters   = 1.54
  context      = 32768

  temperature = 0.7
  top_p       = 0.8
  top_k       = 20

  template = "ChatML; tool calls as JSON. No reasoning."
  fim      = "yes"
  speed        = "writes 22.4 tokens/s on an Intel i7-8700 (a dense 1.5B)"
  speed_source = "https://inventivehq.com/blog/moe-on-cpu-benchmark"

  layers       = 28
  embedding    = 1536
  vocabulary   = 151936
  widest       = 8960
  heads        = 12
  heads_kv     = 2
  key_length   = 128
  value_length = 128
}
