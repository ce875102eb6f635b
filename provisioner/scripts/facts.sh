# Facts about the machine as name=value lines.
. /etc/os-release
has() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
echo "uid=$(id -u)"
echo "machine=$(uname -m)"
echo "id=${ID:-}"
echo "version=${VERSION_ID:-}"
echo "pretty=${PRETTY_NAME:-}"
echo "systemd=$(has test -d /run/systemd/system)"
echo "cloud_init=$(has command -v cloud-init)"
echo "memory=$(head -n 1 /proc/meminfo | tr -s ' ' | cut -d ' ' -f 2)" # MemTotal, in KiB
echo "network_manager=$(has command -v NetworkManager)"
