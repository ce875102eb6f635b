# The real appliance: Ubuntu 24.04, LocalAI v4.9.0, Devstral Small 2 24B (Q4_K_M).
#
# What is downloaded is pinned by digests that you give, see README.md. Values go into
# a file beside this one; example.pkrvars.hcl is one to begin with.

packer {
  required_plugins {
    slm-copilot = {
      source  = "github.com/slm-copilot/slm-copilot"
      version = ">= 0.1.0"
    }
  }
}

variable "version" {
  type        = string
  default     = "1.0.0"
  description = "Version of the appliance: in file names, in the image and in the marketplace."
}

variable "base_image" {
  type        = string
  default     = "ubuntu-24.04"
  description = "Catalogue name, path or URL of a cloud image."
}

variable "base_image_checksum" {
  type        = string
  default     = ""
  description = "sha256:<hex>; empty checks an image of the catalogue against its publisher's list."
}

variable "localai_source" {
  type        = string
  default     = "https://github.com/mudler/LocalAI/releases/download/v4.9.0/local-ai-v4.9.0-linux-amd64"
  description = "Path or URL of the LocalAI binary."
}

variable "localai_checksum" {
  type        = string
  description = "sha256:<hex>, from LocalAI-v4.9.0-checksums.txt of the same release."
}

variable "localai_version" {
  type    = string
  default = "v4.9.0"
}

variable "backend_source" {
  type        = string
  description = "Directory of the llama-cpp backend for CPU, with run.sh at its top; or a tar archive of it."
}

variable "backend_checksum" {
  type        = string
  default     = ""
  description = "sha256:<hex> of an archive; empty for a directory."
}

variable "model_source" {
  type        = string
  description = "Path or URL of the GGUF file of Devstral Small 2 24B, quantized to Q4_K_M (14.3 GB)."
}

variable "model_checksum" {
  type        = string
  description = "sha256:<hex>, from the page the model is published on."
}

variable "cpus" {
  type        = number
  default     = 8
  description = "Virtual CPUs of the machine while it is built and proven."
}

variable "memory" {
  type        = number
  default     = 32768
  description = "MiB of the machine while it is built and proven: the model is loaded both times."
}

variable "publisher" {
  type    = string
  default = "SLM-Copilot"
}

variable "catalog_directory" {
  type        = string
  default     = "dist/marketplace"
  description = "The marketplace; best on the same file system as dist/, which saves a copy."
}

variable "catalog_url" {
  type        = string
  default     = "https://apps.example.org"
  description = "Where a web server serves the marketplace."
}

source "slm-copilot" "devstral" {
  base_image          = var.base_image
  base_image_checksum = var.base_image_checksum
  image_version       = var.version
  disk_size           = "40G"
  cpus                = var.cpus
  memory              = var.memory
  output_directory    = "dist/devstral"
}

build {
  sources = ["source.slm-copilot.devstral"]

  provisioner "slm-copilot" {
    appliance_version = var.version

    localai {
      source   = var.localai_source
      checksum = var.localai_checksum
      version  = var.localai_version
    }
    backend {
      source   = var.backend_source
      checksum = var.backend_checksum
    }
    model {
      source       = var.model_source
      checksum     = var.model_checksum
      id           = "devstral-small-2"
      name         = "Devstral Small 2 24B"
      quantization = "Q4_K_M"
    }
  }

  post-processors {
    post-processor "slm-copilot-verify" {
      cpus         = var.cpus
      memory       = var.memory
      model_id     = "devstral-small-2"
      boot_timeout = "30m"
    }
    post-processor "slm-copilot-marketplace" {
      app {
        publisher         = var.publisher
        short_description = "Private AI coding copilot (Devstral Small 2 24B) that runs on CPU alone"
        tags              = ["ai", "llm", "copilot", "cpu", "devstral", "ubuntu"]
        cpu               = 16
        vcpu              = 16
        memory            = 32768
      }
      catalog {
        directory = var.catalog_directory
        base_url  = var.catalog_url
      }
    }
  }
}
