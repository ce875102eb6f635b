# What dpkg has installed.
dpkg-query --show --showformat="$FORMAT"
