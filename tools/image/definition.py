"""What the base image is made of. All of it is part of the key under which a root is cached."""

SUITE = "bookworm"

# What a person or an AI agent expects in a shell, and no more: the size and the build time of the
# image are the sum of this list. minbase brings apt, bash, coreutils, findutils, grep, sed, tar,
# gzip, util-linux.
PACKAGES = (
    "ca-certificates",
    "curl",
    "git",
    "iproute2",
    "kmod",  # the kernel asks for modules through modprobe
    "less",
    "libnss-myhostname",  # a machine's own name resolves, without a file that somebody must keep
    "procps",
    "python3",
)

# Never unpacked: nobody reads manuals in a machine made for programs. Licences stay.
EXCLUDED_PATHS = (
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/doc/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/share/bug/*",
    "/usr/share/gitweb/*",
    "/usr/lib/*/perl/*/CORE/*.h",  # for compiling perl modules
)
INCLUDED_PATHS = ("/usr/share/doc/*/copyright",)

# 2025-01-01 00:00 UTC, when SOURCE_DATE_EPOCH is not set: any fixed time gives equal builds.
DEFAULT_EPOCH = 1735689600

# EROFS stores a volume id; a fixed one, for two builds of the same packages to be equal.
EROFS_UUID = "7709e28a-3b32-55ed-8a33-b8c6aa85ed28"

# 16 KiB clusters of lz4hc: half the size of no compression at the same speed of a cold start.
# Level 9 saves 0.3 % more and takes half as long again.
EROFS_COMPRESSION = ("-zlz4hc,6", "-C16384")

# What the guest needs before it can read its root; their dependencies are computed.
BOOT_MODULES = (
    "virtio_pci",
    "virtio_blk",
    "erofs",
    "ext4",
    "overlay",
    "vmw_vsock_virtio_transport",
    "virtio_balloon",
)

# The ordinary user of the guest; commands run as root unless they ask for it.
GUEST_USER = "user"
GUEST_UID = 1000


def kernel_package(architecture):
    """Debian's kernel for machines without hardware: small, and the same on amd64 and arm64."""
    return f"linux-image-cloud-{architecture}"
