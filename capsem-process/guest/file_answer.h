// What the guest says of one operation on files, checked: whatever it says, what comes out of here
// is what files.proto promises. Pure; fuzzed.
#pragma once

#include <optional>
#include <string_view>

#include "base/status.h"
#include "capsem/process/v1/process.pb.h"
#include "wire/frame.h"

namespace capsem::process {

class FileAnswer {
 public:
  using Request = capsem::process::v1::FileRequest;
  using Event = capsem::process::v1::FileEvent;

  explicit FileAnswer(const Request& request);

  // One frame, in order: what it tells, or nothing when it was the end. Unavailable: the guest does
  // not keep to what was agreed, and nothing more is to be read of it.
  StatusOr<std::optional<Event>> OnFrame(const wire::Frame& frame);
  // How it ended, once it has.
  const std::optional<Status>& end() const { return end_; }

 private:
  StatusOr<std::optional<Event>> OnInfo(std::string_view payload);
  StatusOr<std::optional<Event>> OnEntries(std::string_view payload);
  StatusOr<std::optional<Event>> OnEnd(std::string_view payload);

  const Request::VerbCase verb_;
  const bool has_info_;  // a good answer describes one file
  bool info_told_ = false;
  std::optional<Status> end_;
};

}  // namespace capsem::process
