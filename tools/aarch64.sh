#!/usr/bin/env bash
# Builds the wheel for AArch64 with a cross compiler and runs it, NEON kernels and tests, under qemu:
#
#     tools/aarch64.sh FOLDER [TEST ...]      FOLDER is made; tests/kernels/test_kernels.py and others by default
#
# For Debian and its like, as root: installs gcc-aarch64-linux-gnu and qemu-user, and unpacks Debian's Python for
# arm64 into the folder (it installs no package of that architecture). Exit status 77: the tools are not to be had.
set -euo pipefail
folder=$(realpath -m "$1")
shift
source=$(cd "$(dirname "$0")/.." && pwd)
tests=("$@")
[ ${#tests[@]} -gt 0 ] || tests=(tests/kernels/test_{kernels,kernel_arguments,cross_entropy,squash}.py
  tests/kernels/test_{network,gradients,updates,online,online_networks,online_training}.py tests/lines/test_scan.py tests/layers/test_layers.py)
packages=(python3.X-minimal libpython3.X-minimal libpython3.X-stdlib libc6 zlib1g libexpat1 libffi8 libssl3 libbz2-1.0
  liblzma5 libgcc-s1 libstdc++6 libuuid1 libsqlite3-0 libcrypt1)

skip() {
  echo "$1"
  exit 77
}

if [ ! -e "$folder/sysroot" ]; then
  [ "$(id -u)" = 0 ] || skip "only root can install the cross compiler and qemu-user"
  command -v apt-get > /dev/null || skip "no apt-get"
  dpkg --add-architecture arm64
  apt-get update -q > /dev/null || skip "apt-get update failed"
  apt-get install -y -q gcc-aarch64-linux-gnu qemu-user > /dev/null || skip "no cross compiler or qemu-user to install"
  version=$(apt-cache policy python3:arm64 | sed -n 's/ *Candidate: \(3\.[0-9]*\).*/\1/p')
  mkdir -p "$folder/debs" "$folder/sysroot"
  packages=("${packages[@]//3.X/$version}")
  (cd "$folder/debs" && apt-get download -q "${packages[@]/%/:arm64}" > /dev/null 2>&1) ||
    skip "Debian's Python for arm64 cannot be downloaded"
  for package in "$folder"/debs/*.deb; do dpkg-deb -x "$package" "$folder/sysroot"; done
fi
interpreter=$(ls "$folder"/sysroot/usr/bin/python3.* | head -n 1)
version=${interpreter##*python}
run() { qemu-aarch64 -L "$folder/sysroot" -E PYTHONPATH="$folder/site" "$interpreter" "$@"; }

echo "== build"
git clone -q "$source" "$folder/checkout"
python3 -m venv "$folder/build"
"$folder/build/bin/python" -m pip install -q "setuptools>=77" "cython>=3.1"
(cd "$folder/checkout" && _PYTHON_HOST_PLATFORM=linux-aarch64 CC=aarch64-linux-gnu-gcc \
  LDSHARED="aarch64-linux-gnu-gcc -shared" "$folder/build/bin/python" setup.py -q bdist_wheel) > "$folder/build.log" 2>&1 || {
  tail -n 30 "$folder/build.log"
  exit 1
}
ls -l "$folder"/checkout/dist

echo "== packages"
platforms=()
for tag in manylinux2014 manylinux_2_17 manylinux_2_27 manylinux_2_28; do platforms+=(--platform "${tag}_aarch64"); done
"$folder/build/bin/python" -m pip download -q -d "$folder/wheels" --only-binary=:all: "${platforms[@]}" \
  --python-version "$version" "numpy>=2.0" "pytest>=8" "pytest-xdist>=3.6" "hypothesis>=6.100"
for wheel in "$folder"/wheels/*.whl "$folder"/checkout/dist/*.whl; do
  python3 -m zipfile -e "$wheel" "$folder/site"
done

echo "== run"
cd "$folder/checkout"
run -c 'import lenet_c
lenet_c.show_config()
images, labels = lenet_c.datasets.load_sample("test")
right = (lenet_c.predict(images) == labels).sum()
print(f"{right} of 1,000 digits of the sample right")
assert lenet_c.show_config("dict")["engine"] == "neon"
assert right >= 990'
# which starts Python itself, what the system cannot without QEMU
run -m pytest -q -n 0 -m "" -p no:cacheprovider \
  --deselect tests/layers/test_layers.py::test_public_names "${tests[@]}"
