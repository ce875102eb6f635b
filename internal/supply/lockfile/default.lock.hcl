# Pins of what an appliance is made of. `make lock` fills in what is missing and writes
# this file anew, without other comments; commit it.

base_image "debian-12" {
  arch   = "amd64"
  source = "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-amd64.qcow2"
}

base_image "debian-12" {
  arch   = "arm64"
  source = "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-arm64.qcow2"
}

base_image "debian-13" {
  arch   = "amd64"
  source = "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-generic-amd64.qcow2"
}

base_image "debian-13" {
  arch   = "arm64"
  source = "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-generic-arm64.qcow2"
}

base_image "ubuntu-22.04" {
  arch   = "amd64"
  source = "https://cloud-images.ubuntu.com/releases/22.04/release/ubuntu-22.04-server-cloudimg-amd64.img"
}

base_image "ubuntu-22.04" {
  arch   = "arm64"
  source = "https://cloud-images.ubuntu.com/releases/22.04/release/ubuntu-22.04-server-cloudimg-arm64.img"
}

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

base_image "ubuntu-26.04" {
  arch   = "amd64"
  source = "https://cloud-images.ubuntu.com/releases/26.04/release/ubuntu-26.04-server-cloudimg-amd64.img"
}

base_image "ubuntu-26.04" {
  arch   = "arm64"
  source = "https://cloud-images.ubuntu.com/releases/26.04/release/ubuntu-26.04-server-cloudimg-arm64.img"
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

model "devstral-small-2" {
  version = "2512"
  source  = "https://huggingface.co/unsloth/Devstral-Small-2-24B-Instruct-2512-GGUF/resolve/main/Devstral-Small-2-24B-Instruct-2512-Q4_K_M.gguf"
  license = "Apache-2.0"
  size    = 14334446752
  digest  = "sha256:d14ba9edee1bb4c4996a726deb81e49ae81800a3216f0774634238c380aee496"
}
