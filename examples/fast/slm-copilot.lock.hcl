# Pins of what an appliance is made of. `make lock` fills in what is missing and writes
# this file anew, without other comments; commit it.

base_image "ubuntu-24.04" {
  version = "20260911"
  arch    = "amd64"
  source  = "https://cloud-images.ubuntu.com/releases/24.04/release-20260911/ubuntu-24.04-server-cloudimg-amd64.img"
  size    = 625256960
  digest  = "sha256:612b2c0cc1bc413a6cb8c38fd611794caf0f2b436c50013d8b3794db12ad7354"
}

base_image "ubuntu-24.04" {
  version = "20260911"
  arch    = "arm64"
  source  = "https://cloud-images.ubuntu.com/releases/24.04/release-20260911/ubuntu-24.04-server-cloudimg-arm64.img"
  size    = 619621888
  digest  = "sha256:7b682958a67ff5de068e36de6af8b75fa645d296af5a70d6500527f6a33781db"
}

context_package "one-context" {
  version = "7.2.1"
  source  = "https://github.com/OpenNebula/one-apps/releases/download/v7.2.1/one-context_7.2.1-1.deb"
  license = "Apache-2.0"
}

localai "local-ai" {
  version = "v4.9.0"
  arch    = "amd64"
  source  = "https://github.com/mudler/LocalAI/releases/download/v4.9.0/local-ai-v4.9.0-linux-amd64"
  license = "MIT"
}

localai "local-ai" {
  version = "v4.9.0"
  arch    = "arm64"
  source  = "https://github.com/mudler/LocalAI/releases/download/v4.9.0/local-ai-v4.9.0-linux-arm64"
  license = "MIT"
}

backend "llama-cpp" {
  version = "v4.9.0"
  source  = "oci://quay.io/go-skynet/local-ai-backends:v4.9.0-cpu-llama-cpp"
  license = "MIT"
}

model "qwen3-coder-30b-a3b" {
  source  = "https://huggingface.co/unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF/resolve/b17cb02dd882d5b6ab62fc777ad2995f19668350/Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf"
  license = "Apache-2.0"
  size    = 18556689568
  digest  = "sha256:fadc3e5f8d42bf7e894a785b05082e47daee4df26680389817e2093056f088ad"
}
