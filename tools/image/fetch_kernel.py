"""Fetches and unpacks Debian's cloud kernel while mmdebstrap's apt still knows its package lists.

A hook of mmdebstrap: fetch_kernel.py ARCHITECTURE FOLDER. The package is unpacked and not
installed: that would draw in the tools for an initramfs, and we build our own.
"""

import glob
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True

import definition


def main():
    architecture, folder = sys.argv[1:3]
    env = dict(os.environ, APT_CONFIG=os.environ["MMDEBSTRAP_APT_CONFIG"])
    meta = definition.kernel_package(architecture)
    depends = output(["apt-cache", "depends", meta], env=env)
    kernel = next(line.split()[1] for line in depends.splitlines()
                  if line.strip().startswith("Depends: linux-image-"))
    subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", kernel], env=env,
                   cwd=folder, check=True)
    package = glob.glob(f"{folder}/{kernel}_*.deb")[0]
    subprocess.run(["dpkg-deb", "-x", package, f"{folder}/root"], check=True)
    with open(f"{folder}/packages.json", "w", encoding="utf-8") as file:
        json.dump([output(["dpkg-deb", "-W", package]).strip().split("\t")], file)
    os.unlink(package)


def output(command, env=None):
    return subprocess.run(command, env=env, check=True, text=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()
