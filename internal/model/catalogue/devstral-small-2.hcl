# Digest and size: several unrelated public repositories pin the same file and agree.
# Shape: text_config of config.json beside the card; the file has its context from it (YaRN).
# top_p and min_p: LocalAI v4.9.0, core/config/inference_defaults.json, "devstral"; the card gives
# the temperature.
model "devstral-small-2" {
  name     = "Devstral Small 2 24B"
  purpose  = "agents that write code; dense, the default"
  maker    = "Mistral AI in France"
  european = true
  license  = "Apache-2.0"
  card     = "https://huggingface.co/mistralai/Devstral-Small-2-24B-Instruct-2512"

  version = "2512"
  source  = "https://huggingface.co/unsloth/Devstral-Small-2-24B-Instruct-2512-GGUF/resolve/main/Devstral-Small-2-24B-Instruct-2512-Q4_K_M.gguf"
  size    = 14334446752
  digest  = "sha256:d14ba9edee1bb4c4996a726deb81e49ae81800a3216f0774634238c380aee496"

  architecture = "mistral3"
  parameters   = 24
  context      = 393216

  temperature = 0.15
  top_p       = 0.95
  min_p       = 0.01

  template       = "refuses what agents send, such as two user messages in a row; the appliance takes these checks out. No reasoning."
  fim            = "no"
  quality        = "SWE-bench Verified 68.0 %"
  quality_source = "https://huggingface.co/mistralai/Devstral-Small-2-24B-Instruct-2512"

  layers       = 40
  embedding    = 5120
  vocabulary   = 131072
  widest       = 32768
  heads        = 32
  heads_kv     = 8
  key_length   = 128
  value_length = 128
}
