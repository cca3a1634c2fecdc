#!/bin/sh
# The first and only program of a small start: the kernel, the device tree and the binary of the image, without the system.
export PATH=/usr/bin:/usr/sbin

mkdir -p /dev /proc /sys
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
while read -r module; do
    insmod "/proof/modules/$module"
done < /proof/modules/order

echo consoles: $(cat /proc/consoles)
echo serial ports: $(cd /sys/class/tty && echo ttyAMA* ttyS*)

waited=0
while [ ! -e /sys/class/net/eth0 ] && [ "$waited" -lt 120 ]; do
    sleep 1
    waited=$((waited + 1))
done
ipconfig 127.0.0.1::::mini:lo:none
ipconfig 10.0.2.15::10.0.2.2:255.255.255.0:mini:eth0:none

mkdir -p /state
/proof/opendcre serve --config /proof/opendcre.toml
echo "opendcre ended with $?"
poweroff -f
