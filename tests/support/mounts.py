"""Mounts that only the command under test sees: its own mount namespace, which the kernel removes with its last process."""
import os


def _propagation():
    """`private`; in a chroot whose root is no mount point, the kernel has nothing to make private."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        root_is_mount = any(line.split()[4] == "/" for line in mounts)
    return "private" if root_is_mount else "unchanged"


def privately(setup):
    """What to put before a command: `setup`, lines of shell, is done first, and unless all of it works nothing runs."""
    # Nobody but root may mount; an ordinary user is root of a user namespace.
    rights = [] if os.geteuid() == 0 else ["--map-root-user", "--map-auto"]
    script = f'{setup}\nexec "$@"'
    return ["unshare", *rights, "--mount", "--propagation", _propagation(), "--", "sh", "-ec", script, "sh"]


def small_disk(folder, mib):
    return f"mount -t tmpfs -o size={mib}m,mode=0700 small {folder}"


def read_only(folder):
    """Read-only for root, too, whom the bits of a mode do not hold back."""
    return f"mount --bind {folder} {folder}\nmount -o remount,bind,ro {folder}"


def without(program, scratch):
    """Hides a program: its folder is covered by one in which it has been removed. `scratch` is an empty folder."""
    folder, name = os.path.split(program)
    layers = f"lowerdir={folder},upperdir={scratch}/upper,workdir={scratch}/work"
    return "\n".join([f"mount -t tmpfs layers {scratch}", f"mkdir {scratch}/upper {scratch}/work",
                      f"mknod {scratch}/upper/{name} c 0 0", f"mount -t overlay -o {layers} cover {folder}",
                      f"[ ! -e {program} ]"])
