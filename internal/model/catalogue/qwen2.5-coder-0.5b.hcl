# Digest and size: several unrelated public repositories pin the same file and agree.
# Sampling and shape: as for qwen2.5-coder-1.5b.hcl.
model "qwen2.5-coder-0.5b" {
  name    = "Qwen2.5-Coder 0.5B"
  purpose = "trying the whole way of an appliance; too small to work with"
  maker   = "Alibaba's Qwen team in China"
  license = "Apache-2.0"
  card    = "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"

  version = "2.5"
  source  = "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/ebb2015119c907b064c512bf053e945850b5875f/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
  size    = 491400064
  digest  = "sha256:1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"

  architecture = "qwen2"
  parameters   = 0.49
  context      = 32768

  temperature = 0.7
  top_p       = 0.8
  top_k       = 20

  template = "ChatML; tool calls as JSON. No reasoning."
  fim      = "yes"

  layers       = 24
  embedding    = 896
  vocabulary   = 151936
  widest       = 4864
  heads        = 14
  heads_kv     = 2
  key_length   = 64
  value_length = 64
}
