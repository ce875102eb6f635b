# Digest and size: several unrelated public repositories pin the same file and agree.
# Sampling: "Recommended sampling parameters" in the README of github.com/openai/gpt-oss.
# Shape: config.json; widest is the query matrix.
model "gpt-oss-20b" {
  name    = "gpt-oss 20B"
  purpose = "reasoning before each answer; a mixture of experts"
  maker   = "OpenAI in the USA"
  license = "Apache-2.0"
  card    = "https://huggingface.co/openai/gpt-oss-20b"

  source = "https://huggingface.co/ggml-org/gpt-oss-20b-GGUF/resolve/e1dc459feff949ff451ce107337a2026daa80df8/gpt-oss-20b-mxfp4.gguf"
  size   = 12109566560
  digest = "sha256:be37a636aca0fc1aae0d32325f82f6b4d21495f06823b5fbc1898ae0303e9935"

  architecture      = "gpt-oss"
  parameters        = 20.9
  active_parameters = 3.6
  context           = 131072

  temperature = 1
  top_p       = 1

  template       = "harmony, with channels: it reasons first, as long as \"Reasoning: low\", \"medium\" or \"high\" in the system message says."
  quality        = "SWE-bench Verified 34.0 %, measured by the makers of GLM-4.7-Flash"
  quality_source = "https://huggingface.co/zai-org/GLM-4.7-Flash"

  layers       = 24
  embedding    = 2880
  vocabulary   = 201088
  widest       = 4096
  experts      = 32
  experts_used = 4
  expert_width = 2880
  heads        = 64
  heads_kv     = 8
  key_length   = 64
  value_length = 64
  window       = 128
}
