# Makes this process the systemd of namespaces of its own, in which a reader can install the server as
# docs/production.md says. Nothing of it is seen outside, and all of it ends with this process.
#
# Arguments: the folder `packaging`, the binary, the configuration, and more of the unit.
set -e
packaging=$1 binary=$2 configuration=$3 more=$4

mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/etc /run/reader
cp -a /etc/. /run/etc
cp -r "$packaging" /run/reader/packaging
cp "$configuration" /run/reader/castellan.toml
rm -rf /run/etc/systemd/system
# Without the services of a whole machine.
install -D -m 0644 "$more" /run/etc/systemd/system/castellan.service.d/more.conf
printf '[Unit]\nDefaultDependencies=no\n' >/run/etc/systemd/system/try.target
mount --bind /run/etc /etc

# The kernel's own settings are the machine's.
mount --rbind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -o remount,bind,ro /sys
mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd

mount -t tmpfs tmpfs /usr/local/bin
touch /usr/local/bin/castellan
mount --bind "$binary" /usr/local/bin/castellan
mount -t tmpfs tmpfs /usr/lib/systemd/system-generators
for place in /var/lib /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs "$place"; done
# What somebody has who works on this machine.
mount -t tmpfs tmpfs /home
echo private >/home/letter

export container=other
exec /lib/systemd/systemd --system --unit=try.target --show-status=no
