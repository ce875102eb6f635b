package appliance

// Version is the version of the toolchain: of the plugin and of the agent it bakes in.
const Version = "0.1.0"
