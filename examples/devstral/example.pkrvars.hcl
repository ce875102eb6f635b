# The values devstral.pkr.hcl has no default for. Copy this file to
# devstral.auto.pkrvars.hcl and replace them; Packer reads that one by itself.
#
# The digests of zeros are placeholders. They pass `packer validate`; a build refuses
# whatever it downloads under them, and says which digest it found.

# From LocalAI-v4.9.0-checksums.txt of the release v4.9.0.
localai_checksum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

# A directory that `local-ai backends install` has made, see README.md.
backend_source = "payload/backends/cpu-llama-cpp"

# A path, or the address of the file and the SHA-256 its publisher shows beside it.
model_source   = "payload/Devstral-Small-2-24B-Q4_K_M.gguf"
model_checksum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
