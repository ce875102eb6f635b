# The whole road, offline: a Debian cloud image becomes an appliance, is booted as
# OpenNebula would, and is published into a marketplace directory.
#
#   make demo
#
# Two things stand in for the real ones, so that this runs anywhere in minutes: a program
# that speaks LocalAI's API without thinking, and a model of a few hundred kilobytes. Both
# are replaced by variables, see README.md.

packer {
  required_plugins {
    slm-copilot = {
      source  = "github.com/slm-copilot/slm-copilot"
      version = ">= 0.1.0"
    }
  }
}

variable "base_image" {
  type        = string
  default     = ".cache/demo/base.qcow2"
  description = "Catalogue name, path or URL of a cloud image."
}

variable "base_image_checksum" {
  type        = string
  default     = "none"
  description = "sha256:<hex>; empty for an image of the catalogue."
}

variable "localai_url" {
  type        = string
  default     = ".cache/demo/local-ai"
  description = "Path or URL of the LocalAI binary."
}

variable "localai_checksum" {
  type    = string
  default = "none"
}

variable "localai_version" {
  type    = string
  default = "v4.9.0"
}

variable "backend_url" {
  type        = string
  default     = ".cache/demo/llama-cpp"
  description = "Directory of the llama-cpp backend, or path or URL of a tar archive of it."
}

variable "backend_checksum" {
  type        = string
  default     = ""
  description = "sha256:<hex> of an archive; empty for a directory."
}

variable "model_url" {
  type        = string
  default     = ".cache/demo/model.gguf"
  description = "Path or URL of the GGUF model."
}

variable "model_checksum" {
  type    = string
  default = "none"
}

variable "model_id" {
  type        = string
  default     = "devstral-small-2"
  description = "What clients send as model."
}

variable "model_name" {
  type    = string
  default = "Stand-in for Devstral Small 2"
}

variable "other_model_url" {
  type        = string
  default     = ".cache/demo/other-model.gguf"
  description = "A second model, which ONEAPP_COPILOT_MODEL = \"other\" chooses; empty for none."
}

variable "other_model_checksum" {
  type    = string
  default = "none"
}

variable "disk_size" {
  type    = string
  default = "6G"
}

variable "memory" {
  type        = number
  default     = 2048
  description = "MiB of the machine while it is built and proven."
}

variable "output_directory" {
  type    = string
  default = "dist/demo"
}

variable "catalog_directory" {
  type    = string
  default = "dist/marketplace"
}

variable "catalog_url" {
  type        = string
  default     = "http://127.0.0.1:8085"
  description = "Where the catalog will be served."
}

source "slm-copilot" "demo" {
  base_image          = var.base_image
  base_image_checksum = var.base_image_checksum
  disk_size           = var.disk_size
  memory              = var.memory
  output_directory    = var.output_directory
  # Attached to the machine as a disk, the model need not go through SSH.
  model {
    source   = var.model_url
    checksum = var.model_checksum
  }
}

build {
  sources = ["source.slm-copilot.demo"]

  provisioner "slm-copilot" {
    # The demo needs nothing but Debian's packages, and one-context is not among them.
    context = "cloud-init"
    localai {
      source   = var.localai_url
      checksum = var.localai_checksum
      version  = var.localai_version
    }
    backend {
      source   = var.backend_url
      checksum = var.backend_checksum
    }
    model {
      source   = var.model_url
      checksum = var.model_checksum
      id       = var.model_id
      name     = var.model_name
    }
    dynamic "other_model" {
      for_each = compact([var.other_model_url])
      content {
        source   = other_model.value
        checksum = var.other_model_checksum
        id       = "other"
        name     = "Another stand-in"
      }
    }
  }

  post-processors {
    post-processor "slm-copilot-verify" {
      name     = "verify"
      memory   = var.memory
      model_id = var.model_id
      firmware = "both"
      context = {
        ONEAPP_COPILOT_CONTEXT_SIZE = "4096"
        ONEAPP_COPILOT_DOMAIN       = "copilot.example.org"
        # Nobody is there: this is offline, and a machine without a public name must do too.
        ONEAPP_COPILOT_ACME_DIRECTORY = "https://127.0.0.1:9/directory"
      }
    }
    post-processor "slm-copilot-marketplace" {
      name = "marketplace"
      app {
        name        = "SLM-Copilot Demo"
        description = "A demonstration: the engine and the model in it are stand-ins that do not think."
        vcpu        = 2
        cpu         = 2
        memory      = 2048
      }
      catalog {
        directory = var.catalog_directory
        base_url  = var.catalog_url
      }
    }
  }
}
