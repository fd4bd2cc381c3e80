#include "image/empty_disk.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <utility>

#include "image/sparse_copy.h"

namespace capsem::service {
namespace {

// The superblock lies 1 KiB into the disk (linux/Documentation/filesystems/ext4/super.rst).
constexpr off_t kSuperblock = 1024;
constexpr size_t kMagicOffset = 56;
constexpr size_t kStateOffset = 58;
constexpr size_t kFeaturesOffset = 92;
constexpr unsigned kMagic = 0xEF53;
constexpr unsigned kCleanState = 1;
constexpr unsigned kHasJournal = 4;

// Tables and journal are holes that read as zero already: writing zeros into them would take 260
// MiB of every session. The journal is kept small, for it is written from end to end in time.
const std::vector<std::string> kMkfsArgs = {
    "-q", "-F", "-t",      "ext4", "-m",
    "0",  "-J", "size=32", "-E",   "lazy_itable_init=0,lazy_journal_init=1"};

constexpr size_t kMaxSaid = 1024;

unsigned ReadLittleEndian16(const unsigned char* bytes) {
  return static_cast<unsigned>(bytes[0] | bytes[1] << 8);
}

// DataLoss: it is not one of `bytes` that a machine can use.
Status Check(int fd, const std::string& path, uint64_t bytes) {
  struct stat found {};
  if (fstat(fd, &found) != 0) return FromErrno("look at {}", path);
  std::array<unsigned char, 128> block{};
  const ssize_t got = pread(fd, block.data(), block.size(), kSuperblock);
  const bool good = S_ISREG(found.st_mode) && static_cast<uint64_t>(found.st_size) == bytes &&
                    got == static_cast<ssize_t>(block.size()) &&
                    ReadLittleEndian16(&block[kMagicOffset]) == kMagic &&
                    ReadLittleEndian16(&block[kStateOffset]) == kCleanState &&
                    (block[kFeaturesOffset] & kHasJournal) != 0;
  return good ? OkStatus() : DataLoss("{} is not an empty disk of {} bytes", path, bytes);
}

StatusOr<UniqueFd> OpenChecked(const std::string& path, uint64_t bytes) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return FromErrno("open {}", path);
  TRY(Check(fd.get(), path, bytes));
  return fd;
}

// What a child wrote into the pipe until its end.
std::string Said(int pipe) {
  std::string text(kMaxSaid, '\0');
  const ssize_t got = read(pipe, text.data(), text.size());
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  while (text.ends_with('\n')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

Status MkfsFailure(ExitReason reason, int pipe) {
  const std::string said = Said(pipe);
  if (said.find("No space left") != std::string::npos) {
    return ResourceExhausted("no space is left for the disks of sessions");
  }
  return Internal("mkfs.ext4 ended with {}: {}", reason.ToString(), said);
}

// A path to it for whoever has our uid.
std::string PathOf(int fd) { return fmt::format("/proc/{}/fd/{}", getpid(), fd); }

// Makes the finished disk appear under its name, in place of a damaged one. Another service that
// shares the folder may be as far: then its disk is as good.
Status Publish(int disk, const std::string& path, uint64_t bytes) {
  TRY(Check(disk, path, bytes));
  if (fsync(disk) != 0) return FromErrno("sync {}", path);
  const auto appear = [&] {
    return linkat(AT_FDCWD, PathOf(disk).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0;
  };
  if (appear()) return OkStatus();
  if (errno == EEXIST && OpenChecked(path, bytes).ok()) return OkStatus();
  if (errno != EEXIST) return FromErrno("make {}", path);
  unlink(path.c_str());
  if (!appear() && errno != EEXIST) return FromErrno("make {}", path);
  return OkStatus();
}

}  // namespace

EmptyDisk::EmptyDisk(Loop& loop, EmptyDiskSpec spec)
    : loop_(loop),
      spec_(std::move(spec)),
      path_(fmt::format("{}/empty_disk_{}.img", spec_.folder, spec_.bytes)) {}

EmptyDisk::~EmptyDisk() {
  for (Order& order : waiting_) {
    loop_.Post([done = std::move(order.done)]() mutable {
      done(Cancelled("the disk was not made: the service is ending"));
    });
  }
}

void EmptyDisk::Copy(std::string path, Done done) { Begin({std::move(path), std::move(done)}); }

void EmptyDisk::Begin(Order order) {
  // What travels to the pool thread and back; `order` is touched on the loop only.
  struct Copying {
    Order order;
    Status opened;
    Status copied;
  };
  const std::string path = order.path;
  auto copying = std::make_shared<Copying>(Copying{std::move(order), {}, {}});
  loop_.RunBlocking(
      [copying, path, from = path_, bytes = spec_.bytes] {
        const StatusOr<UniqueFd> source = OpenChecked(from, bytes);
        copying->opened = source.status();
        if (source.ok()) copying->copied = CopySparse(source->get(), path);
      },
      [copying, self = weak_.Get()] {
        const Status& opened = copying->opened;
        const bool helps =
            opened.code() == StatusCode::kNotFound || opened.code() == StatusCode::kDataLoss;
        if (!helps || copying->order.made || !self) {
          copying->order.done(opened.ok() ? copying->copied : opened);
          return;
        }
        self->waiting_.push_back(std::move(copying->order));
        self->Make();
      });
}

// Nothing to do while it is being made already.
void EmptyDisk::Make() {
  if (making_) return;
  StatusOr<std::unique_ptr<Child>> child = SpawnMkfs();
  if (!child.ok()) return Answer(child.status());
  mkfs_ = *std::move(child);
  making_ = true;
}

StatusOr<std::unique_ptr<Child>> EmptyDisk::SpawnMkfs() {
  const auto program =
      std::find_if(spec_.programs.begin(), spec_.programs.end(),
                   [](const std::string& path) { return access(path.c_str(), X_OK) == 0; });
  if (program == spec_.programs.end()) {
    return WithRemedy(FailedPrecondition("mkfs.ext4 is missing: no disk can be made"),
                      "apt-get install e2fsprogs");
  }
  unfinished_ =
      std::make_shared<UniqueFd>(open(spec_.folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!unfinished_->valid() ||
      ftruncate(unfinished_->get(), static_cast<off_t>(spec_.bytes)) != 0) {
    return FromErrno("make {}", path_);
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return FromErrno("make a pipe");
  mkfs_says_.Reset(ends[0]);
  const UniqueFd write_end(ends[1]);
  ChildSpec spec;
  spec.program = *program;
  spec.args = kMkfsArgs;
  spec.args.push_back(PathOf(unfinished_->get()));
  spec.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  spec.stdout_fd = spec.stderr_fd = write_end.get();
  return Child::Spawn(loop_, std::move(spec), [this](ExitReason reason) { OnMkfsEnded(reason); });
}

void EmptyDisk::OnMkfsEnded(ExitReason reason) {
  const Status mkfs = reason.clean() ? OkStatus() : MkfsFailure(reason, mkfs_says_.get());
  mkfs_.reset();
  auto made = std::make_shared<Status>(mkfs);
  loop_.RunBlocking(
      [made, disk = std::exchange(unfinished_, nullptr), to = path_, bytes = spec_.bytes] {
        if (made->ok()) *made = Publish(disk->get(), to, bytes);
      },
      [made, self = weak_.Get()] {
        if (!self) return;
        self->making_ = false;
        self->Answer(*made);
      });
}

// Whoever waited gets a copy, or the reason why there is none.
void EmptyDisk::Answer(const Status& made) {
  const Weak<EmptyDisk> self = weak_.Get();
  for (Order& order : std::exchange(waiting_, {})) {
    if (!made.ok() || !self) {
      order.done(made.ok() ? Cancelled("the service is ending") : made);
      continue;
    }
    order.made = true;
    self->Begin(std::move(order));
  }
}

}  // namespace capsem::service
