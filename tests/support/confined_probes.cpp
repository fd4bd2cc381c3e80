#include "confined_probes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "base/child.h"
#include "base/unique_fd.h"

namespace capsem::process {
namespace {

// Of a call that answers -1 and errno.
int Told(long result) { return result < 0 ? errno : 0; }

int Open(const std::string& path, int flags) {
  const UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC, 0600));
  return fd.valid() ? 0 : errno;
}

template <typename... Args>
int Call(long number, Args... args) {
  return Told(syscall(number, args...));
}

// Of a call whose answer is a descriptor.
template <typename... Args>
int CallForFd(long number, Args... args) {
  const UniqueFd fd(static_cast<int>(syscall(number, args...)));
  return fd.valid() ? 0 : errno;
}

int ConnectUnix(int fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return Told(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
}

int ConnectAbstract(int fd, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 2);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return Told(connect(fd, reinterpret_cast<sockaddr*>(&address), size));
}

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int ConnectTcp(int fd, int port) {
  const sockaddr_in address = Loopback(port);
  return Told(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

int BindTcp(int fd) {
  const sockaddr_in address = Loopback(0);
  return Told(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

int BindUnix(int fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return Told(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
}

// A datagram socket of a pair sends to any path, with no connect.
int DatagramPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) return errno;
  close(ends[0]);
  close(ends[1]);
  return 0;
}

int Fork() {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  if (pid < 0) return errno;
  return Told(waitpid(pid, nullptr, 0));
}

int Execute(const char* program) {
  char* const argv[] = {const_cast<char*>(program), nullptr};
  char* const envp[] = {nullptr};
  execve(program, argv, envp);
  return errno;
}

// As ChildSpec::filter allows it, for the second time.
int ExecuteByDescriptor(const char* program) {
  const int file = open(program, O_PATH | O_CLOEXEC);
  if (file >= 0 && dup2(file, kExecFd) < 0) return errno;
  char* const argv[] = {const_cast<char*>(program), nullptr};
  char* const envp[] = {nullptr};
  syscall(SYS_execveat, kExecFd, "", argv, envp, AT_EMPTY_PATH);
  return errno;
}

int ReadOwnMemoryFromAbove() {
  char from = 1, to = 0;
  const iovec remote = {&from, 1}, local = {&to, 1};
  return Told(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
}

int MakeBpfMap() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = attributes.value_size = 4;
  attributes.max_entries = 1;
  return CallForFd(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
}

int OpenPerfEvent() {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof attributes;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.exclude_kernel = attributes.exclude_hv = 1;
  return CallForFd(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

int SetUpRing() {
  io_uring_params parameters{};
  return CallForFd(SYS_io_uring_setup, 1, &parameters);
}

int SetTimes(const std::string& path) { return Told(utimes(path.c_str(), nullptr)); }

int RaiseLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return errno;
  return Told(setrlimit(RLIMIT_NOFILE, &limit));
}

int Mount(const std::string& folder) {
  if (unshare(CLONE_NEWNS) != 0) return errno;
  return Told(mount("none", folder.c_str(), "tmpfs", 0, nullptr));
}

int Chroot(const std::string& folder) { return Told(chroot(folder.c_str())); }

void* Nothing(void* argument) { return argument; }

int StartThread() {
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, Nothing, nullptr);
  return error != 0 ? error : pthread_join(thread, nullptr);
}

int StreamPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  const int error = Told(send(ends[0], "x", 1, 0));
  close(ends[0]);
  close(ends[1]);
  return error;
}

using Probes = std::vector<Probe>;

void AddFiles(Probes& all, const ProbeTargets& at) {
  const std::string &home = at.home, &own = at.own_folder;
  const std::string file = home + "/file";
  all.push_back({"file: read another session's disk",
                 [=] { return Open(at.other + "/disk.img", O_RDONLY); }});
  all.push_back({"file: write another session's disk",
                 [=] { return Open(at.other + "/disk.img", O_WRONLY); }});
  all.push_back({"file: make one in another session",
                 [=] { return Open(at.other + "/new", O_CREAT | O_WRONLY); }});
  all.push_back(
      {"file: list all sessions", [=] { return Open(at.sessions, O_RDONLY | O_DIRECTORY); }});
  all.push_back({"file: read in the home", [=] { return Open(file, O_RDONLY); }});
  all.push_back({"file: write in the home", [=] { return Open(file, O_WRONLY | O_APPEND); }});
  all.push_back({"file: empty one in the home", [=] { return Open(file, O_WRONLY | O_TRUNC); }});
  all.push_back(
      {"file: truncate one in the home", [=] { return Told(truncate(file.c_str(), 0)); }});
  all.push_back(
      {"file: make one in the home", [=] { return Open(home + "/new", O_CREAT | O_WRONLY); }});
  all.push_back({"file: make a folder in the home",
                 [=] { return Told(mkdir((home + "/folder").c_str(), 0700)); }});
  all.push_back(
      {"file: remove from the home", [=] { return Told(unlink((home + "/doomed").c_str())); }});
  all.push_back({"file: move out of the home", [=] {
                   return Told(rename((home + "/moved").c_str(), (own + "/moved").c_str()));
                 }});
  all.push_back({"file: link one of the home",
                 [=] { return Told(link(file.c_str(), (own + "/link").c_str())); }});
  all.push_back({"file: chmod in the home", [=] { return Told(chmod(file.c_str(), 0644)); }});
  all.push_back(
      {"file: chown in the home", [=] { return Told(chown(file.c_str(), getuid(), getgid())); }});
  all.push_back({"file: set times in the home", [=] { return SetTimes(file); }});
  all.push_back({"file: set an attribute in the home",
                 [=] { return Told(setxattr(file.c_str(), "user.probe", "x", 1, 0)); }});
  all.push_back(
      {"file: make a named pipe", [=] { return Told(mkfifo((own + "/pipe").c_str(), 0600)); }});
  all.push_back(
      {"file: make a symbolic link", [=] { return Told(symlink("/", (own + "/root").c_str())); }});
  all.push_back({"file: read /etc/passwd", [] { return Open("/etc/passwd", O_RDONLY); }});
  all.push_back({"file: list the root", [] { return Open("/", O_RDONLY | O_DIRECTORY); }});
}

void AddProcesses(Probes& all, const ProbeTargets& at) {
  const pid_t victim = at.victim;
  const std::string proc = "/proc/" + std::to_string(victim);
  all.push_back(
      {"process: read another's command line", [=] { return Open(proc + "/cmdline", O_RDONLY); }});
  all.push_back(
      {"process: read another's environment", [=] { return Open(proc + "/environ", O_RDONLY); }});
  all.push_back({"process: open another's memory", [=] { return Open(proc + "/mem", O_RDWR); }});
  all.push_back({"process: list another's descriptors",
                 [=] { return Open(proc + "/fd", O_RDONLY | O_DIRECTORY); }});
  all.push_back({"process: signal another", [=] { return Told(kill(victim, 0)); }});
  all.push_back({"process: signal the parent", [] { return Told(kill(getppid(), 0)); }});
  all.push_back(
      {"process: signal another's thread", [=] { return Call(SYS_tgkill, victim, victim, 0); }});
  all.push_back(
      {"process: signal a thread by its number alone", [=] { return Call(SYS_tkill, victim, 0); }});
  all.push_back({"process: signal another by a descriptor's owner",
                 [=] { return Told(fcntl(at.unix_sockets[0], F_SETOWN, victim)); }});
  all.push_back({"process: choose the signal of a descriptor",
                 [=] { return Told(fcntl(at.unix_sockets[0], F_SETSIG, SIGKILL)); }});
  all.push_back({"process: a descriptor's owner by ioctl", [=] {
                   int pid = victim;
                   return Told(ioctl(at.unix_sockets[0], FIOSETOWN, &pid));
                 }});
  all.push_back({"process: pidfd_open", [=] { return CallForFd(SYS_pidfd_open, victim, 0); }});
  all.push_back({"process: ptrace", [=] { return Call(SYS_ptrace, PTRACE_SEIZE, victim, 0, 0); }});
  all.push_back({"process: process_vm_readv", ReadOwnMemoryFromAbove});
  all.push_back({"process: set another's priority",
                 [=] { return Told(setpriority(PRIO_PROCESS, static_cast<id_t>(victim), 19)); }});
  all.push_back({"process: set another's limits", [=] {
                   rlimit limit{};
                   getrlimit(RLIMIT_CORE, &limit);
                   return Call(SYS_prlimit64, victim, RLIMIT_CORE, &limit, nullptr);
                 }});
  all.push_back({"process: pin another to a processor", [=] {
                   cpu_set_t set;
                   CPU_ZERO(&set);
                   CPU_SET(0, &set);
                   return Told(sched_setaffinity(victim, sizeof set, &set));
                 }});
}

void AddItself(Probes& all) {
  all.push_back({"process: fork", Fork});
  all.push_back({"process: execve", [] { return Execute("/bin/true"); }});
  all.push_back({"process: execve of its own program", [] { return Execute("/proc/self/exe"); }});
  all.push_back(
      {"process: execveat once more", [] { return ExecuteByDescriptor("/proc/self/exe"); }});
  all.push_back({"process: set its limits", RaiseLimit});
  all.push_back({"process: outlive its parent", [] { return Told(prctl(PR_SET_PDEATHSIG, 0)); }});
  all.push_back({"process: a session of its own", [] { return Told(setsid()); }});
  all.push_back(
      {"process: another user id", [] { return Told(setresuid(getuid(), getuid(), getuid())); }});
}

void AddSockets(Probes& all, const ProbeTargets& at) {
  all.push_back(
      {"socket: of the Unix kind", [] { return CallForFd(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }});
  all.push_back({"socket: TCP", [] { return CallForFd(SYS_socket, AF_INET, SOCK_STREAM, 0); }});
  all.push_back({"socket: UDP", [] { return CallForFd(SYS_socket, AF_INET, SOCK_DGRAM, 0); }});
  all.push_back({"socket: netlink", [] { return CallForFd(SYS_socket, AF_NETLINK, SOCK_RAW, 0); }});
  all.push_back({"socket: a pair for datagrams", DatagramPair});
  all.push_back({"socket: connect to service.sock",
                 [=] { return ConnectUnix(at.unix_sockets[0], at.service_socket); }});
  all.push_back(
      {"socket: connect to D-Bus", [=] { return ConnectUnix(at.unix_sockets[1], at.bus_socket); }});
  all.push_back({"socket: connect to an abstract name",
                 [=] { return ConnectAbstract(at.unix_sockets[2], at.abstract_name); }});
  all.push_back(
      {"socket: connect to TCP", [=] { return ConnectTcp(at.tcp_sockets[0], at.tcp_port); }});
  all.push_back({"socket: bind a path",
                 [=] { return BindUnix(at.unix_sockets[3], at.own_folder + "/listener"); }});
  all.push_back({"socket: bind TCP", [=] { return BindTcp(at.tcp_sockets[1]); }});
  all.push_back({"socket: listen", [=] { return Told(listen(at.tcp_sockets[2], 1)); }});
  all.push_back({"socket: accept on a listener that is not its own",
                 [=] { return CallForFd(SYS_accept4, at.foreign_listener, nullptr, nullptr, 0); }});
}

void AddKernel(Probes& all, const ProbeTargets& at) {
  all.push_back(
      {"kernel: userfaultfd", [] { return CallForFd(SYS_userfaultfd, UFFD_USER_MODE_ONLY); }});
  all.push_back({"kernel: io_uring", SetUpRing});
  all.push_back({"kernel: bpf", MakeBpfMap, true});
  all.push_back({"kernel: perf_event_open", OpenPerfEvent, true});
  all.push_back({"kernel: keyctl", [] {
                   return Call(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1);
                 }});
  all.push_back({"kernel: add_key", [] {
                   return Call(SYS_add_key, "user", "probe", "x", 1, KEY_SPEC_PROCESS_KEYRING);
                 }});
  all.push_back({"kernel: unshare", [] { return Told(unshare(CLONE_FS)); }});
  all.push_back({"kernel: mount", [=] { return Mount(at.own_folder); }, true});
  all.push_back({"kernel: chroot", [=] { return Chroot(at.own_folder); }, true});
  all.push_back({"kernel: personality", [] { return Told(personality(0xffffffff)); }});
  all.push_back(
      {"kernel: shared memory with a name", [] { return Told(shmget(IPC_PRIVATE, 4096, 0600)); }});
}

}  // namespace

std::vector<Probe> ForbiddenProbes(const ProbeTargets& targets) {
  Probes all;
  AddFiles(all, targets);
  AddProcesses(all, targets);
  AddItself(all);
  AddSockets(all, targets);
  AddKernel(all, targets);
  return all;
}

std::vector<Probe> NeededProbes(const ProbeTargets& targets) {
  const std::string own = targets.own_folder;
  return {
      {"needed: a file in its folder", [=] { return Open(own + "/mine", O_CREAT | O_RDWR); }},
      {"needed: another name for it",
       [=] { return Told(rename((own + "/mine").c_str(), (own + "/renamed").c_str())); }},
      {"needed: a thread", StartThread},
      {"needed: a pair of streams", StreamPair},
      {"needed: an event", [] { return CallForFd(SYS_eventfd2, 0, 0); }},
      {"needed: to wait", [] { return CallForFd(SYS_epoll_create1, 0); }},
      {"needed: memory with a descriptor", [] { return CallForFd(SYS_memfd_create, "probe", 0); }},
      {"needed: a signal to itself", [] { return Call(SYS_tgkill, getpid(), gettid(), 0); }},
      {"needed: its libraries", [] { return Open("/etc/ld.so.cache", O_RDONLY); }},
  };
}

}  // namespace capsem::process
