# The weights in an image of their own: the system can be updated without them. Combine it
# with another file of variables.

model_disk = true
disk_size  = "12G"
