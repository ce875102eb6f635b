# Digest and size: several unrelated public repositories pin the same file and agree.
# Sampling: generation_config.json of the Qwen2.5-Coder models; the repetition penalty, in which they
# differ, is left out. Shape: config.json.
model "qwen2.5-coder-7b" {
  name    = "Qwen2.5-Coder 7B"
  purpose = "small machines; completion in the editor"
  maker   = "Alibaba's Qwen team in China"
  license = "Apache-2.0"
  card    = "https://huggingface.co/Qwen/Qwen2.5-Coder-7B-Instruct-GGUF"

  version = "2.5"
  source  = "https://huggingface.co/Qwen/Qwen2.5-Coder-7B-Instruct-GGUF/resolve/13fb94bfda8c8cf22497dc57b78f391a9acb426a/qwen2.5-coder-7b-instruct-q4_k_m.gguf"
  size    = 4683073536
  digest  = "sha256:509287f78cb4d4cf6b3843734733b914b2c158e43e22a7f4bf5e963800894d3c"

  architecture = "qwen2"
  parameters   = 7.61
  context      = 32768

  temperature = 0.7
  top_p       = 0.8
  top_k       = 20

  template = "ChatML; tool calls as JSON. No reasoning."
  fim      = "yes"
  speed        = "writes 4.9 tokens/s on an Intel i7-8700 (a dense 7B of the same size)"
  speed_source = "https://inventivehq.com/blog/moe-on-cpu-benchmark"

  layers       = 28
  embedding    = 3584
  vocabulary   = 152064
  widest       = 18944
  heads        = 28
  heads_kv     = 4
  key_length   = 128
  value_length = 128
}
