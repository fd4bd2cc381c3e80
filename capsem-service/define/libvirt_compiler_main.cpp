// capsem-define: the short-lived child in which libvirt lives. Domain XML in on stdin, one JSON
// object out on stdout, then the end:
//
//   {"native": "…", "libvirt": "9.0.0", "qemu": "7.2.22", "files": ["/usr/lib/…", …]}
//   {"error": {"code": 9, "cause": "…", "remedy": "…"}}          and exit code 1
//
// `files` are the libraries and programs that the answer depends on. The service starts this under
// an unprivileged uid; nothing here needs a right that any user does not have. No libuv: its fork
// handler breaks libvirt's way of making daemons.
// Platform: namespaces; elsewhere: the folder is used by its own path, which must be open to
// others.
#include <fcntl.h>
#include <grp.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/status.h"
#include "base/unique_fd.h"
#include "define/stray_probes.h"

namespace capsem::service {
namespace {

// A domain of ours has 3 KiB.
constexpr size_t kMaxXml = 256 * 1024;

// Nothing of the host is to be asked for or changed: only a command line is made here.
constexpr char kQemuConf[] =
    "security_driver = \"none\"\n"
    "namespaces = []\n"
    "cgroup_controllers = []\n"
    "stdio_handler = \"file\"\n"
    "remember_owner = 0\n"
    "seccomp_sandbox = 1\n";

struct Arguments {
  std::string root;      // a folder for libvirt's state and its cache of what QEMU can do
  std::string emulator;  // the QEMU that the domain names
  uid_t uid = 0;         // what to become when started as root; 0 = stay
};

StatusOr<Arguments> ParseArguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--root") arguments.root = argv[i + 1];
    if (name == "--emulator") arguments.emulator = argv[i + 1];
    if (name == "--uid") arguments.uid = static_cast<uid_t>(std::strtoul(argv[i + 1], nullptr, 10));
  }
  if (argc % 2 == 0 || arguments.root.empty() || arguments.emulator.empty()) {
    return InvalidArgument(
        "usage: capsem-define --root FOLDER --emulator PROGRAM [--uid N] < domain.xml");
  }
  return arguments;
}

// From root to a uid that may do nothing. The state folder lies below folders of root's alone, and
// QEMU wants to resolve the whole path of its pid file: so the folder is shown at /mnt, to this
// process and its children only. Where that is not allowed (no CAP_SYS_ADMIN), the path must be
// open to others.
Status BecomeUnprivileged(Arguments& arguments) {
  if (arguments.uid == 0) return OkStatus();
  // By its real path: a descriptor's mount belongs to the namespace that is left here.
  char* const path = realpath(arguments.root.c_str(), nullptr);
  // EINVAL: we are in a chroot whose root is no mount point, and there is nothing to make private.
  if (path != nullptr && unshare(CLONE_NEWNS) == 0 &&
      (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 || errno == EINVAL) &&
      mount(path, "/mnt", nullptr, MS_BIND, nullptr) == 0) {
    arguments.root = "/mnt";
  }
  free(path);
  const uid_t uid = arguments.uid;
  if (setgroups(0, nullptr) != 0 || setresgid(uid, uid, uid) != 0 ||
      setresuid(uid, uid, uid) != 0) {
    return FromErrno("become uid {}", uid);
  }
  // The change of uid has cleared both. QEMU finds the folder through our /proc/PID/fd, and TERM,
  // not KILL, because there is a QEMU to end.
  prctl(PR_SET_DUMPABLE, 1);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  return OkStatus();
}

// The folder under a name that is short, for the sockets in it, and that needs no right on the
// folders above it: through our descriptor of it. Also good for the QEMUs that libvirt starts.
StatusOr<std::string> OpenRoot(const std::string& path) {
  const int fd = open(path.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FromErrno("open libvirt's folder {}", path);
  return fmt::format("/proc/{}/fd/{}", getpid(), fd);
}

Status PrepareEnvironment(const std::string& root) {
  clearenv();
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  setenv("LC_ALL", "C", 1);
  for (const char* name :
       {"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"}) {
    setenv(name, root.c_str(), 1);
  }
  umask(077);
  mkdir((root + "/etc").c_str(), 0700);
  std::ofstream conf(root + "/etc/qemu.conf");
  conf << kQemuConf << std::flush;
  if (!conf) return PermissionDenied("cannot write {}/etc/qemu.conf", root);
  return OkStatus();
}

Status RequireEmulator(const std::string& emulator) {
  if (access(emulator.c_str(), X_OK) == 0) return OkStatus();
  return WithRemedy(FailedPrecondition("QEMU is not installed: there is no {}", emulator),
                    "sudo apt-get install qemu-system-x86");
}

Status LibvirtStatus(std::string_view what) {
  const virErrorPtr error = virGetLastError();
  const std::string text = error == nullptr ? "no reason given" : error->message;
  const int code = error == nullptr ? 0 : error->code;
  if (code == VIR_ERR_XML_ERROR || code == VIR_ERR_XML_DETAIL || code == VIR_ERR_PARSE_FAILED) {
    return Internal("{}: {}", what, text);
  }
  return WithRemedy(FailedPrecondition("{}: {}", what, text),
                    "Capsem needs QEMU 7.2 and libvirt 9.0 or newer: sudo apt-get install "
                    "qemu-system-x86 libvirt-daemon-driver-qemu");
}

StatusOr<std::string> NativeCommand(const std::string& root, const std::string& xml) {
  virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
  if (virEventRegisterDefaultImpl() != 0) return LibvirtStatus("libvirt cannot start");
  const auto close_connection = [](virConnectPtr connection) { virConnectClose(connection); };
  const std::unique_ptr<virConnect, decltype(close_connection)> connection(
      virConnectOpen(("qemu:///embed?root=" + root).c_str()), close_connection);
  if (!connection) return LibvirtStatus("libvirt cannot work with QEMU");
  const std::unique_ptr<char, decltype(&free)> native(
      virConnectDomainXMLToNative(connection.get(), "qemu-argv", xml.c_str(), 0), &free);
  if (!native) return LibvirtStatus("libvirt cannot define this machine on this host");
  return std::string(native.get());
}

// "QEMU emulator version 7.2.22 (Debian 1:7.2+…)" → "7.2.22"
StatusOr<std::string> QemuVersion(const std::string& emulator) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return FromErrno("pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  char* const argv[] = {const_cast<char*>(emulator.c_str()), const_cast<char*>("--version"),
                        nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, emulator.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(error, "start " + emulator);
  write_end.Reset();
  char text[256] = {};
  size_t size = 0;
  ssize_t count = 0;
  while (size < sizeof text - 1 &&
         (count = read(read_end.get(), text + size, sizeof text - 1 - size)) > 0) {
    size += static_cast<size_t>(count);
  }
  waitpid(pid, nullptr, 0);
  char version[32] = {};
  if (std::sscanf(text, "QEMU emulator version %31[0-9.]", version) != 1) {
    return FailedPrecondition("{} does not say its version", emulator);
  }
  return std::string(version);
}

std::string LibvirtVersion() {
  unsigned long version = 0;
  virGetVersion(&version, nullptr, nullptr);
  return fmt::format("{}.{}.{}", version / 1'000'000, version / 1000 % 1000, version % 1000);
}

// The emulator, and every part of libvirt that is loaded by now.
std::set<std::string> FilesUsed(const std::string& emulator) {
  std::set<std::string> files = {emulator};
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t path = line.find('/');
    if (path != std::string::npos && line.find("libvirt", path) != std::string::npos) {
      files.insert(line.substr(path));
    }
  }
  return files;
}

StatusOr<nlohmann::json> Compile(const Arguments& arguments) {
  const std::string root = TRY(OpenRoot(arguments.root));
  TRY(RequireEmulator(arguments.emulator));
  TRY(PrepareEnvironment(root));
  std::string xml(kMaxXml + 1, '\0');
  std::cin.read(xml.data(), static_cast<std::streamsize>(xml.size()));
  xml.resize(static_cast<size_t>(std::cin.gcount()));
  if (xml.empty() || xml.size() > kMaxXml) {
    return InvalidArgument("the domain on stdin has {} bytes", xml.size());
  }
  nlohmann::json answer;
  answer["native"] = TRY(NativeCommand(root, xml));
  answer["libvirt"] = LibvirtVersion();
  answer["qemu"] = TRY(QemuVersion(arguments.emulator));
  answer["files"] = FilesUsed(arguments.emulator);
  return answer;
}

// Says the answer on stdout; the exit code.
int Tell(const StatusOr<nlohmann::json>& answer) {
  nlohmann::json said = nlohmann::json::object();
  if (answer.ok()) {
    said = *answer;
  } else {
    said["error"] = {{"code", static_cast<int>(answer.status().code())},
                     {"cause", std::string(Message(answer.status()))},
                     {"remedy", Remedy(answer.status())}};
  }
  std::cout << said.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  return answer.ok() ? 0 : 1;
}

// The worker has libvirt and its threads; this process only waits, so that it can clean up however
// the worker ends. What libvirt started on the way would outlive both.
int WaitFor(pid_t worker, const sigset_t& signals, const std::string& root) {
  int signal = 0;
  sigwait(&signals, &signal);
  if (signal != SIGCHLD) kill(worker, SIGKILL);
  int status = 0;
  waitpid(worker, &status, 0);
  EndStrayProbes(root);
  if (signal != SIGCHLD) return 128 + signal;
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  std::cerr << "libvirt was ended by signal " << WTERMSIG(status) << std::endl;
  return 128 + WTERMSIG(status);
}

int Run(const Arguments& arguments) {
  // libvirt refuses a folder that another process works in, and that one's probes would look like
  // strays: services that share a cache take turns. The lock goes with this process; whoever waits
  // too long is ended by its service.
  const UniqueFd turn(open(arguments.root.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  if (!turn.valid() || flock(turn.get(), LOCK_EX) != 0) {
    return Tell(FromErrno("wait for libvirt's folder {}", arguments.root));
  }
  // A run that was killed may have left some.
  EndStrayProbes(arguments.root);
  sigset_t signals;
  sigset_t before;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t self = getpid();
  const pid_t worker = fork();
  if (worker < 0) return Tell(FromErrno("fork"));
  if (worker > 0) return WaitFor(worker, signals, arguments.root);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != self) _exit(1);
  // libvirt's threads are still there at the end: nothing of theirs is worth waiting for.
  _exit(Tell(Compile(arguments)));
}

}  // namespace
}  // namespace capsem::service

int main(int argc, char** argv) {
  auto arguments = capsem::service::ParseArguments(argc, argv);
  if (!arguments.ok()) return capsem::service::Tell(arguments.status());
  const auto dropped = capsem::service::BecomeUnprivileged(*arguments);
  if (!dropped.ok()) return capsem::service::Tell(dropped);
  return capsem::service::Run(*arguments);
}
