#include "session/file_news.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace capsem::service {
namespace {

// What the kernel says when it watches no more.
Status WatchFailed(const std::string& path) {
  const bool too_many = errno == EMFILE || errno == ENOSPC;
  if (!too_many) return FromErrno("watch {}", path);
  return WithRemedy(
      ResourceExhausted("the kernel watches no more files for this user: {} is not followed", path),
      "end other programs that follow files, or raise the kernel's fs.inotify.max_user_instances "
      "and fs.inotify.max_user_watches (sysctl)");
}

}  // namespace

StatusOr<std::unique_ptr<FileNews>> FileNews::Create(Loop& loop, std::string path,
                                                     absl::AnyInvocable<void()> on_news) {
  UniqueFd fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd.valid()) return WatchFailed(path);
  // Not what is written into files of that folder, for a machine's disk lies there, too.
  const std::string folder = std::filesystem::path(path).parent_path();
  if (inotify_add_watch(fd.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
    return WatchFailed(folder);
  return std::unique_ptr<FileNews>(
      new FileNews(loop, std::move(path), std::move(fd), std::move(on_news)));
}

FileNews::FileNews(Loop& loop, std::string path, UniqueFd fd, absl::AnyInvocable<void()> on_news)
    : path_(std::move(path)),
      fd_(std::move(fd)),
      on_news_(std::move(on_news)),
      watch_(loop, fd_.get(), [this](int) { OnReadable(); }) {}

Status FileNews::Arm() {
  const int watch = inotify_add_watch(fd_.get(), path_.c_str(), IN_MODIFY | IN_DONT_FOLLOW);
  // One that is not there yet is told of by its folder.
  if (watch >= 0 || errno == ENOENT) return OkStatus();
  return WatchFailed(path_);
}

void FileNews::Await() { watch_.Want(FdWatch::kReadable); }

void FileNews::OnReadable() {
  // What it says is of no interest: the log is looked at.
  alignas(inotify_event) char events[4096];
  while (read(fd_.get(), events, sizeof events) > 0) {
  }
  watch_.Want(FdWatch::kNone);
  on_news_();
}

}  // namespace capsem::service
