# A small model with a permissive licence, for machines of 8 to 16 GiB: Qwen2.5-Coder 7B
# Instruct, Q4_K_M (4.7 GB, Apache-2.0), from its makers' own repository.

lock       = "small.lock.hcl"
model_id   = "qwen2.5-coder-7b"
model_name = "Qwen2.5-Coder 7B"
app_name   = "SLM-Copilot small"
disk_size  = "20G"
cpus       = 4
memory     = 12288
