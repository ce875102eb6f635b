# The real appliance: Ubuntu 24.04, LocalAI v4.9.0, Devstral Small 2 24B (Q4_K_M).
#
# What it is made of stands in the lock file beside this one: `make lock` completes it.
# The *.pkrvars.hcl files make variants; README.md says which. examples/fast is this template with
# another lock file and other values.

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

variable "lock" {
  type        = string
  default     = "slm-copilot.lock.hcl"
  description = "The lock file, beside this template."
}

variable "architecture" {
  type        = string
  default     = "x86_64"
  description = "x86_64 or aarch64; the build host should have the same."
}

variable "model_id" {
  type        = string
  default     = "devstral-small-2"
  description = "What clients send as \"model\"."
}

variable "model_name" {
  type        = string
  default     = "Devstral Small 2 24B"
  description = "What people read."
}

variable "app_name" {
  type        = string
  default     = "SLM-Copilot"
  description = "Name of the app in the marketplace; apps of one name are versions of each other."
}

variable "model_disk" {
  type        = bool
  default     = false
  description = "Keep the weights in an image of their own."
}

variable "disk_size" {
  type    = string
  default = "40G"
}

variable "cpus" {
  type        = number
  default     = 8
  description = "Virtual CPUs of the machine while it is built and proven."
}

variable "memory" {
  type        = number
  default     = 32768
  description = "MiB of the machine while it is built and proven, where the model is loaded too, and of the published app."
}

variable "package_directory" {
  type        = string
  default     = ""
  description = "Debian packages for a build without a network; filled by a build with one."
}

# Tokens come from the environment: PKR_VAR_model_token, PKR_VAR_backend_token.
variable "model_token" {
  type      = string
  default   = ""
  sensitive = true
}

variable "backend_token" {
  type      = string
  default   = ""
  sensitive = true
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

locals {
  lock_file = "${path.root}/${var.lock}"
}

source "slm-copilot" "appliance" {
  lock_file        = local.lock_file
  base_image       = "ubuntu-24.04"
  architecture     = var.architecture
  image_version    = var.version
  disk_size        = var.disk_size
  cpus             = var.cpus
  memory           = var.memory
  model_disk       = var.model_disk
  output_directory = "dist/${var.model_id}"

  # The weights of the lock file, attached as a disk: faster than sending them over SSH.
  model {
    token = var.model_token
  }
}

build {
  sources = ["source.slm-copilot.appliance"]

  provisioner "slm-copilot" {
    lock_file         = local.lock_file
    package_directory = var.package_directory

    backend {
      token = var.backend_token
    }
    model {
      id    = var.model_id
      name  = var.model_name
      token = var.model_token
    }
  }

  post-processors {
    post-processor "slm-copilot-verify" {
      name         = "verify"
      cpus         = var.cpus
      memory       = var.memory
      model_id     = var.model_id
      boot_timeout = "30m"
    }
    post-processor "slm-copilot-marketplace" {
      name = "marketplace"
      app {
        name              = var.app_name
        publisher         = var.publisher
        short_description = "Private AI coding copilot (${var.model_name}) that runs on CPU alone"
        tags              = ["ai", "llm", "copilot", "cpu", var.model_id, "ubuntu"]
        cpu               = 16
        vcpu              = 16
        memory            = var.memory
      }
      catalog {
        directory = var.catalog_directory
        base_url  = var.catalog_url
      }
    }
  }
}
