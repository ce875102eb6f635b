# Facts about the machine as name=value lines.
. /etc/os-release
echo "uid=$(id -u)"
echo "machine=$(uname -m)"
echo "id=${ID:-}"
echo "like=${ID_LIKE:-}"
echo "pretty=${PRETTY_NAME:-}"
if [ -d /run/systemd/system ]; then echo systemd=yes; else echo systemd=no; fi
