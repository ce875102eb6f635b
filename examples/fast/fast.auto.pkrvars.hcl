# The fast appliance: Qwen3-Coder 30B-A3B, Q4_K_M (18.6 GB, Apache-2.0), a mixture of experts that
# computes a token with 3.3 of its 30.5 billion parameters. Packer reads this file by itself.

model_id   = "qwen3-coder-30b-a3b"
model_name = "Qwen3-Coder 30B-A3B"
app_name   = "SLM-Copilot fast"
disk_size  = "48G"
memory     = 29696
