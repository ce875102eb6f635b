# No digest and no size: only one public source states them. `make lock` asks the publisher.
# Sampling: what the card has for SWE-bench and Terminal-Bench, the work of coding agents; its
# general one is temperature 1 and top_p 0.95. Shape: config.json; the keys and values are those
# that the converter writes for latent attention (kv_lora_rank 512, rope 64, heads of 192 + 64).
model "glm-4.7-flash" {
  name    = "GLM-4.7-Flash"
  purpose = "agents that write code, with reasoning; a mixture of experts"
  maker   = "Z.ai in China"
  license = "MIT"
  card    = "https://huggingface.co/zai-org/GLM-4.7-Flash"

  source = "https://huggingface.co/unsloth/GLM-4.7-Flash-GGUF/resolve/main/GLM-4.7-Flash-Q4_K_M.gguf"

  architecture      = "deepseek2"
  parameters        = 31.2
  active_parameters = 3
  context           = 202752

  temperature = 0.7
  top_p       = 1

  template       = "reasons in `<think>`; tool calls in tags of its own, `<arg_key>` and `<arg_value>`."
  quality        = "SWE-bench Verified 59.2 %"
  quality_source = "https://huggingface.co/zai-org/GLM-4.7-Flash"

  layers           = 47
  embedding        = 2048
  vocabulary       = 154880
  widest           = 10240
  experts          = 64
  experts_used     = 4
  expert_width     = 1536
  heads            = 20
  heads_kv         = 1
  key_length       = 576
  value_length     = 512
  key_length_mla   = 256
  value_length_mla = 256
}
