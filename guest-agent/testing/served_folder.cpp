#include "testing/served_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

namespace capsem::agent {
namespace {

// The largest request that a read-only folder is asked: FUSE_MIN_READ_BUFFER.
constexpr size_t kMaxRequest = FUSE_MIN_READ_BUFFER;
constexpr uint64_t kFirstFile = FUSE_ROOT_ID + 1;

template <typename T>
std::string Bytes(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T From(std::string_view bytes) {
  T value{};
  memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

StatusOr<std::string> Load(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FromErrno("open {}", path);
  std::string content;
  char chunk[64 * 1024];
  for (ssize_t count; (count = read(fd.get(), chunk, sizeof chunk)) > 0;)
    content.append(chunk, static_cast<size_t>(count));
  return content;
}

std::string Welcome() {
  fuse_init_out out{};
  out.major = FUSE_KERNEL_VERSION;
  out.minor = 31;  // nothing newer is used
  out.max_write = 4096;
  return Bytes(out);
}

}  // namespace

StatusOr<std::unique_ptr<ServedFolder>> ServedFolder::Mount(Loop& loop, std::string path,
                                                            std::vector<File> files) {
  UniqueFd device(open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!device.valid()) return FromErrno("open /dev/fuse");
  const std::string options =
      fmt::format("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", device.get());
  if (mount("served", path.c_str(), "fuse", MS_RDONLY | MS_NODEV | MS_NOSUID, options.c_str()) != 0)
    return FromErrno("mount {}", path);
  return std::unique_ptr<ServedFolder>(
      new ServedFolder(loop, std::move(device), std::move(path), std::move(files)));
}

ServedFolder::ServedFolder(Loop& loop, UniqueFd device, std::string path, std::vector<File> files)
    : device_(std::move(device)),
      path_(std::move(path)),
      files_(std::move(files)),
      watch_(loop, device_.get(), [this](int) { OnRequest(); }) {
  watch_.Want(FdWatch::kReadable);
}

ServedFolder::~ServedFolder() { umount2(path_.c_str(), MNT_DETACH); }

void ServedFolder::OnRequest() {
  char buffer[kMaxRequest];
  const ssize_t count = read(device_.get(), buffer, sizeof buffer);
  if (count < static_cast<ssize_t>(sizeof(fuse_in_header))) return;
  const std::string_view request(buffer, static_cast<size_t>(count));
  const auto header = From<fuse_in_header>(request);
  if (header.opcode == FUSE_FORGET || header.opcode == FUSE_BATCH_FORGET) return;  // no answer
  int error = 0;
  const std::string body =
      Answer(header.opcode, header.nodeid, request.substr(sizeof header), error);
  fuse_out_header out{};
  out.unique = header.unique;
  out.error = -error;
  out.len = static_cast<uint32_t>(sizeof out + body.size());
  const std::string answer = Bytes(out) + body;
  if (write(device_.get(), answer.data(), answer.size()) > 0) ++answered_;
}

std::string ServedFolder::Answer(uint32_t opcode, uint64_t node, std::string_view body,
                                 int& error) {
  switch (opcode) {
    case FUSE_INIT: return Welcome();
    case FUSE_LOOKUP: return Lookup(body.substr(0, body.find('\0')), error);
    case FUSE_GETATTR: return Attributes(node);
    case FUSE_OPEN:
    case FUSE_OPENDIR: return Bytes(fuse_open_out{});
    case FUSE_READ: return Read(node, body);
    case FUSE_READDIR: return List(body);
    case FUSE_STATFS: return Bytes(fuse_statfs_out{});
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH: return {};
    default: error = ENOSYS; return {};
  }
}

std::string ServedFolder::Lookup(std::string_view name, int& error) {
  for (size_t index = 0; index < files_.size(); ++index) {
    if (files_[index].name != name) continue;
    fuse_entry_out entry{};
    entry.nodeid = kFirstFile + index;
    entry.attr = From<fuse_attr_out>(Attributes(entry.nodeid)).attr;
    return Bytes(entry);
  }
  error = ENOENT;
  return {};
}

// No time is given for which an answer holds: each look at a file asks anew.
std::string ServedFolder::Attributes(uint64_t node) {
  fuse_attr_out out{};
  out.attr.ino = node;
  out.attr.nlink = 1;
  out.attr.mode = S_IFDIR | 0755;
  if (node >= kFirstFile && node - kFirstFile < files_.size()) {
    out.attr.mode = S_IFREG | 0755;
    out.attr.size = files_[node - kFirstFile].content.size();
  }
  return Bytes(out);
}

std::string ServedFolder::Read(uint64_t node, std::string_view body) {
  if (node < kFirstFile || node - kFirstFile >= files_.size()) return {};
  const auto in = From<fuse_read_in>(body);
  const std::string& content = files_[node - kFirstFile].content;
  if (in.offset >= content.size()) return {};
  return content.substr(in.offset, in.size);
}

std::string ServedFolder::List(std::string_view body) {
  const auto in = From<fuse_read_in>(body);
  std::string out;
  for (size_t index = in.offset; index < files_.size(); ++index) {
    fuse_dirent entry{};
    entry.ino = kFirstFile + index;
    entry.off = index + 1;
    entry.namelen = static_cast<uint32_t>(files_[index].name.size());
    entry.type = DT_REG;
    std::string bytes(reinterpret_cast<const char*>(&entry), FUSE_NAME_OFFSET);
    bytes += files_[index].name;
    bytes.resize(FUSE_DIRENT_ALIGN(bytes.size()));
    if (out.size() + bytes.size() > in.size) break;
    out += bytes;
  }
  return out;
}

StatusOr<std::vector<ServedFolder::File>> ServedPrograms(const std::string& path) {
  return std::vector<ServedFolder::File>{
      {"program", TRY(Load("/bin/echo"))},
      {"shell", TRY(Load("/bin/sh"))},
      {"script", "#!" + path + "/shell\necho a script, by its interpreter\n"},
      {"library.so", TRY(Load("/lib/x86_64-linux-gnu/libm.so.6"))},
  };
}

}  // namespace capsem::agent
