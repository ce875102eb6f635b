# Digest and size: several unrelated public repositories pin the same file and agree.
# Sampling: generation_config.json beside the card. Shape: config.json; widest is the query matrix.
# FIM: the README of github.com/QwenLM/Qwen3-Coder.
model "qwen3-coder-30b-a3b" {
  name    = "Qwen3-Coder 30B-A3B"
  purpose = "agents that write code, fast: a mixture of experts"
  maker   = "Alibaba's Qwen team in China"
  license = "Apache-2.0"
  card    = "https://huggingface.co/Qwen/Qwen3-Coder-30B-A3B-Instruct"

  source = "https://huggingface.co/unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF/resolve/b17cb02dd882d5b6ab62fc777ad2995f19668350/Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf"
  size   = 18556689568
  digest = "sha256:fadc3e5f8d42bf7e894a785b05082e47daee4df26680389817e2093056f088ad"

  architecture      = "qwen3moe"
  parameters        = 30.5
  active_parameters = 3.3
  context           = 262144

  temperature    = 0.7
  top_p          = 0.8
  top_k          = 20
  repeat_penalty = 1.05

  template       = "tool calls in XML of its own. No reasoning."
  fim            = "yes"
  quality        = "SWE-bench Verified 51.6 %, with OpenHands"
  quality_source = "https://www.swebench.com"
  speed          = "writes 10.6 tokens/s on an Intel i7-8700 (Qwen3-30B-A3B, of the same shape)"
  speed_source   = "https://inventivehq.com/blog/moe-on-cpu-benchmark"

  layers       = 48
  embedding    = 2048
  vocabulary   = 151936
  widest       = 4096
  experts      = 128
  experts_used = 8
  expert_width = 768
  heads        = 32
  heads_kv     = 4
  key_length   = 128
  value_length = 128
}
