# Publishes an image that was built before, without building anything: the source "null"
# does nothing, "artifice" takes the image and its manifest, which lies beside it.
#
#   packer build -var image=dist/slm-copilot-1.0.0-x86_64.qcow2 -var endpoint=... examples/publish

packer {
  required_plugins {
    slm-copilot = {
      source  = "github.com/slm-copilot/slm-copilot"
      version = ">= 0.1.0"
    }
  }
}

variable "image" {
  type        = string
  description = "The QCOW2 file; <name>.manifest.json lies beside it."
}

variable "endpoint" {
  type        = string
  description = "URL of the cloud's API, such as https://one.example.org:2633/RPC2."
}

# Credentials come from the environment: PKR_VAR_username, PKR_VAR_password. Without them
# they are in the file that ONE_AUTH names, or in ~/.one/one_auth.
variable "username" {
  type    = string
  default = ""
}

variable "password" {
  type      = string
  default   = ""
  sensitive = true
}

variable "marketplace" {
  type    = string
  default = "private"
}

variable "datastore" {
  type    = string
  default = "default"
}

variable "staging" {
  type        = string
  default     = "/var/tmp/"
  description = "Where the front-end finds the image: a path of its own or a URL, followed by the file's name if it ends in a slash."
}

variable "keep_versions" {
  type    = number
  default = 3
}

variable "dry_run" {
  type    = bool
  default = false
}

source "null" "image" {
  communicator = "none"
}

build {
  sources = ["source.null.image"]

  post-processors {
    post-processor "artifice" {
      files = [var.image]
    }
    post-processor "slm-copilot-marketplace" {
      name    = "marketplace"
      dry_run = var.dry_run
      opennebula {
        endpoint      = var.endpoint
        username      = var.username
        password      = var.password
        marketplace   = var.marketplace
        datastore     = var.datastore
        keep_versions = var.keep_versions
        transfer {
          path = var.staging
        }
      }
    }
  }
}
