"""Makes the root file system of an image, as root of a namespace of its own (see namespace.py).

Usage: rootfs_stage.py OUTPUT SCRATCH, with the work order as JSON in the variable CAPSEM_STAGE.
Leaves in OUTPUT: rootfs.erofs, vmlinuz, modules/ (what the initramfs takes) and stage.json.
"""

import errno
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

import definition
import guest_tree
import kernel_modules
from failure import INTERNAL, RESOURCE_EXHAUSTED, UNAVAILABLE, Failure, from_os_error, run_main
from progress import Progress

# The unpacked tree with apt's downloads; in memory, so that nothing of it can be left behind.
_TREE_MIB = 1024
_MEMORY_NEEDED_MIB = 900
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
_FETCH_KERNEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fetch_kernel.py")


def main():
    output, scratch = sys.argv[1:3]
    order = json.loads(os.environ["CAPSEM_STAGE"])
    progress = Progress("image", order["quiet"])
    os.umask(0o022)
    work = _mount_work_folder(scratch)
    tree = f"{work}/tree"
    with progress.step(f"installing Debian {definition.SUITE}"):
        _bootstrap(tree, work, order, f"{work}/mmdebstrap.log")
    with progress.step("adding the kernel"):
        release = _add_kernel(tree, f"{work}/kernel", output)
    with progress.step("cleaning the tree"):
        packages = guest_tree.packages(tree) + _kernel_packages(f"{work}/kernel")
        guest_tree.finish(tree, order["epoch"], order["programs"])
    with progress.step("compressing the root file system"):
        _make_erofs(tree, f"{output}/rootfs.erofs", order["epoch"])
    with open(f"{output}/stage.json", "w", encoding="utf-8") as file:
        json.dump({"kernel_release": release, "packages": sorted(packages)}, file)


def _mount_work_folder(scratch):
    work = f"{scratch}/work"
    os.mkdir(work)
    if _available_memory_mib() < _MEMORY_NEEDED_MIB:
        raise Failure(RESOURCE_EXHAUSTED, f"less than {_MEMORY_NEEDED_MIB} MiB of memory are free",
                      "end other programs, or stop sessions with `capsem stop --all`")
    _run(["mount", "-t", "tmpfs", "-o", f"size={_TREE_MIB}m,mode=0755", "capsem-image", work])
    os.mkdir(f"{work}/kernel")
    os.mkdir(f"{work}/tmp")
    return work


def _available_memory_mib():
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return _MEMORY_NEEDED_MIB


def _bootstrap(tree, work, order, log_path):
    # A fixed environment: what the caller exports must neither fail nor colour the build.
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": work,
           "TMPDIR": f"{work}/tmp", "SOURCE_DATE_EPOCH": str(order["epoch"]),
           "DEBIAN_FRONTEND": "noninteractive"}
    env.update({name: os.environ[name] for name in _PROXY_VARIABLES if name in os.environ})
    with open(log_path, "w+", encoding="utf-8", errors="replace") as log:
        result = subprocess.run(_mmdebstrap(tree, f"{work}/kernel", order), env=env, text=True,
                                input="\n".join(order["sources"]) + "\n", stdout=log, stderr=log,
                                check=False)
        if result.returncode != 0:
            log.seek(0)
            raise _bootstrap_failure(log.read())


def _mmdebstrap(tree, kernel, order):
    architecture = order["architecture"]
    return ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", "--verbose",
            f"--architectures={architecture}", "--include=" + ",".join(definition.PACKAGES),
            '--aptopt=APT::Install-Recommends "false"', "--dpkgopt=force-unsafe-io",
            *[f"--aptopt={line}" for line in order["apt_settings"]],
            *[f"--dpkgopt=path-exclude={path}" for path in definition.EXCLUDED_PATHS],
            *[f"--dpkgopt=path-include={path}" for path in definition.INCLUDED_PATHS],
            f"--customize-hook=/usr/bin/python3 {_FETCH_KERNEL} {architecture} {kernel}",
            definition.SUITE, tree, "-"]


def _bootstrap_failure(log):
    tail = "\n".join(f"    {line}" for line in log.splitlines()[-12:])
    if "No space left on device" in log:
        return Failure(RESOURCE_EXHAUSTED,
                       f"the tree outgrew its {_TREE_MIB} MiB in memory:\n{tail}",
                       "take packages out of tools/image/definition.py")
    return Failure(UNAVAILABLE, f"mmdebstrap could not install Debian {definition.SUITE}:\n{tail}",
                   "see whether `apt-get update` works on this host, then run the build again")


def _add_kernel(tree, kernel, output):
    releases = os.listdir(f"{kernel}/root/lib/modules")
    if len(releases) != 1:
        raise Failure(INTERNAL, f"the kernel package holds {len(releases)} kernels, not one")
    release = releases[0]
    os.makedirs(f"{tree}/usr/lib/modules", exist_ok=True)
    os.rename(f"{kernel}/root/lib/modules/{release}", f"{tree}/usr/lib/modules/{release}")
    _run(["chroot", tree, "depmod", release])
    shutil.copyfile(f"{kernel}/root/boot/vmlinuz-{release}", f"{output}/vmlinuz")
    folder = f"{tree}/usr/lib/modules/{release}"
    os.mkdir(f"{output}/modules")
    order = kernel_modules.load_order(kernel_modules.Index.read(folder), definition.BOOT_MODULES)
    for path in order:
        shutil.copyfile(f"{folder}/{path}", f"{output}/modules/{os.path.basename(path)}")
    with open(f"{output}/modules/load.order", "w", encoding="ascii") as file:
        file.writelines(f"{os.path.basename(path)}\n" for path in order)
    return release


def _kernel_packages(kernel):
    with open(f"{kernel}/packages.json", encoding="utf-8") as file:
        return json.load(file)


def _make_erofs(tree, path, epoch):
    # -x-1: no extended attributes, hence no file capabilities; set-uid bits are gone already.
    try:
        _run(["mkfs.erofs", "--quiet", *definition.EROFS_COMPRESSION, f"-T{epoch}",
              f"-U{definition.EROFS_UUID}", "-x-1", path, tree])
    except Failure as failure:
        # mkfs.erofs calls a full disk "numerical result out of range".
        if os.statvfs(os.path.dirname(path)).f_bavail == 0:
            raise from_os_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)) from failure
        raise


def _run(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False)
    if result.returncode == 0:
        return
    raise Failure(INTERNAL, f"{command[0]} ended with code {result.returncode}: "
                  f"{result.stdout.strip()}")


if __name__ == "__main__":
    sys.exit(run_main("image", main))
