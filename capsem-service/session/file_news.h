// Whether there is news of a log: it has grown, or another file has taken its place. Nothing is
// looked at until the kernel says that there is something to see. Owned by a log_stream; loop
// thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>

#include "base/fd_watch.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::service {

class FileNews {
 public:
  // ResourceExhausted: the kernel watches no more for this user. NotFound: the file's folder.
  static StatusOr<std::unique_ptr<FileNews>> Create(Loop& loop, std::string path,
                                                    absl::AnyInvocable<void()> on_news);
  FileNews(const FileNews&) = delete;
  FileNews& operator=(const FileNews&) = delete;

  // Whatever happens to the file that lies there now is news. Before a look at it, so that nothing
  // is missed between the look and Await. ResourceExhausted as in Create.
  Status Arm();
  // on_news comes once, when there is news since the last time.
  void Await();

 private:
  FileNews(Loop& loop, std::string path, UniqueFd fd, absl::AnyInvocable<void()> on_news);
  void OnReadable();

  const std::string path_;
  const UniqueFd fd_;
  absl::AnyInvocable<void()> on_news_;
  FdWatch watch_;  // after fd_: destroyed first
};

}  // namespace capsem::service
