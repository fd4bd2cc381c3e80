"""Programs that people expect in a shell: each is there and starts."""
import shutil

from doctor.checks import ANOTHER_IMAGE, check, output_of, want

UTILITIES = {
    "awk": ["BEGIN { print 6*7 }"], "base64": ["--version"], "basename": ["/a/b"], "bash": ["--version"],
    "cat": ["/etc/hostname"], "chmod": ["--version"], "cp": ["--version"], "curl": ["--version"], "cut": ["--version"],
    "date": ["+%s"], "dd": ["--version"], "df": ["/"], "diff": ["--version"], "du": ["--version"], "env": [],
    "find": ["--version"], "free": [], "git": ["--version"], "grep": ["--version"], "gzip": ["--version"],
    "head": ["--version"], "hostname": [], "id": [], "ip": ["-br", "link"], "less": ["--version"], "ln": ["--version"],
    "ls": ["/"], "mkdir": ["--version"], "mktemp": ["--version"], "mount": [], "mv": ["--version"],
    "nproc": [], "perl": ["-e", "print 6*7"], "ps": ["-e"], "python3": ["--version"], "readlink": ["/proc/self"],
    "rm": ["--version"], "sed": ["--version"], "seq": ["3"], "sh": ["-c", ":"], "sha256sum": ["--version"],
    "sleep": ["0"], "sort": ["--version"], "stat": ["/"], "tail": ["--version"], "tar": ["--version"],
    "tee": ["--version"], "timeout": ["5", "true"], "touch": ["--version"], "tr": ["--version"], "uname": ["-a"],
    "uniq": ["--version"], "uptime": [], "wc": ["--version"], "xargs": ["--version"],
}


def add_utility(name, args):
    @check("utilities", name)
    def _():
        want(shutil.which(name), f"{name} is not in PATH", ANOTHER_IMAGE)
        output_of(name, *args)


for utility, words in UTILITIES.items():
    add_utility(utility, words)
