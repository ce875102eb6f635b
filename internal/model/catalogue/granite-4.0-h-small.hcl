# No digest and no size: only one public source states them. `make lock` asks the publisher.
# Sampling: LocalAI v4.9.0, core/config/inference_defaults.json, "granite-4"; the card has none.
# Shape: config.json; widest is what goes into a Mamba layer (2 * 8192 + 2 * 128 + 128).
model "granite-4.0-h-small" {
  name    = "Granite 4.0 H Small"
  purpose = "long contexts in little memory: most layers keep a state; a mixture of experts"
  maker   = "IBM in the USA"
  license = "Apache-2.0"
  card    = "https://huggingface.co/ibm-granite/granite-4.0-h-small"

  version = "4.0"
  source  = "https://huggingface.co/ibm-granite/granite-4.0-h-small-GGUF/resolve/main/granite-4.0-h-small-Q4_K_M.gguf"

  architecture      = "granitehybrid"
  parameters        = 32
  active_parameters = 9
  context           = 131072

  temperature = 0
  top_p       = 1

  template = "has a system message of its own where the client sends none; tool calls as JSON. No reasoning."

  layers           = 40
  embedding        = 4096
  vocabulary       = 100352
  widest           = 16768
  experts          = 72
  experts_used     = 10
  expert_width     = 768
  tied             = true
  heads            = 32
  heads_kv         = 8
  key_length       = 128
  value_length     = 128
  attention_layers = [5, 15, 25, 35]
  ssm_conv_kernel  = 4
  ssm_inner_size   = 8192
  ssm_state_size   = 128
  ssm_group_count  = 1
}
