source "null" "image" {
  communicator = "none"
}
build {
  sources = ["source.null.image"]
  post-processors {
    post-processor "artifice" {
      name  = "image"
      files = ["/dist/a $${b}.unverified/x.qcow2"]
    }
    post-processor "slm-copilot-verify" {
      name         = "verify"
      memory       = 8192
      cpus         = 2
      accelerator  = "auto"
      firmware     = "both"
      boot_timeout = "15m0s"
      reboot       = true
      context = {
        ONEAPP_COPILOT_CONTEXT_SIZE = "1024"
      }
    }
  }
}
