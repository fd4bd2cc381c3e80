#include "boot/identity.h"

#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/unique_fd.h"
#include "process/worker.h"
#include "wire/limits.h"

namespace capsem::agent {
namespace {

using capsem::guest::v1::Configure;

constexpr size_t kEntropyBytes = wire::kSecretBytes;
// Two small files on the session's disk.
constexpr std::chrono::seconds kFilesLimit{10};
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

Status MixEntropy(int random, const std::string& entropy) {
  struct {  // rand_pool_info, whose last member has no length of its own
    int entropy_bits = 8 * kEntropyBytes;
    int size = kEntropyBytes;
    char bytes[kEntropyBytes];
  } mixed;
  memcpy(mixed.bytes, entropy.data(), kEntropyBytes);
  if (ioctl(random, RNDADDENTROPY, &mixed) != 0) return FromErrno("add entropy");
  if (ioctl(random, RNDRESEEDCRNG) != 0) return FromErrno("reseed the random numbers");
  return OkStatus();
}

// In the worker. A file that says so already is left alone: that spares a disk its write.
int WriteFile(const char* path, const std::string& line) {
  const UniqueFd fd(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
  if (!fd.valid()) return errno;
  char old[256];
  const ssize_t count = read(fd.get(), old, sizeof old);
  if (count >= 0 && line == std::string_view(old, static_cast<size_t>(count))) return 0;
  if (ftruncate(fd.get(), 0) != 0) return errno;
  const ssize_t written = pwrite(fd.get(), line.data(), line.size(), 0);
  return written == static_cast<ssize_t>(line.size()) ? 0 : errno;
}

}  // namespace

Status CheckIdentity(const Configure& configure) {
  const std::string& name = configure.hostname();
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
  if (name.empty() || name.size() > MAXHOSTNAMELEN || !plain)
    return InvalidArgument("`{}` is no host name", name);
  const std::string& id = configure.machine_id();
  const bool hex = id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (id.size() != 32 || !hex) return InvalidArgument("`{}` is no machine id", id);
  if (configure.entropy().size() != kEntropyBytes)
    return InvalidArgument("{} bytes of entropy came, not {}", configure.entropy().size(),
                           kEntropyBytes);
  return OkStatus();
}

namespace {

Status ApplyToKernel(int random, const Configure& configure) {
  TRY(CheckIdentity(configure));
  TRY(MixEntropy(random, configure.entropy()));
  timespec now{};
  now.tv_sec = configure.wall_clock_ns() / kNanosecondsPerSecond;
  now.tv_nsec = configure.wall_clock_ns() % kNanosecondsPerSecond;
  if (clock_settime(CLOCK_REALTIME, &now) != 0) return FromErrno("set the clock");
  if (sethostname(configure.hostname().data(), configure.hostname().size()) != 0)
    return FromErrno("set the host name");
  return OkStatus();
}

}  // namespace

void ApplyIdentity(Loop& loop, Reaper& reaper, int random, const Configure& configure,
                   absl::AnyInvocable<void(Status)> done) {
  Status applied = ApplyToKernel(random, configure);
  if (!applied.ok()) {
    loop.Post([done = std::move(done), applied]() mutable { done(applied); });
    return;
  }
  const std::string hostname = configure.hostname() + "\n";
  const std::string machine_id = configure.machine_id() + "\n";
  RunInWorker(
      loop, reaper, kFilesLimit,
      [&] {
        const int error = WriteFile("/etc/machine-id", machine_id);
        return error != 0 ? error : WriteFile("/etc/hostname", hostname);
      },
      std::move(done));
}

}  // namespace capsem::agent
