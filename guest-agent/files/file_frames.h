// One operation's frames, as its own process sees them: over a socket that it may wait for. What is
// on the other end is the agent, which passes on what the host says.
#pragma once

#include <google/protobuf/message_lite.h>

#include <optional>
#include <string_view>

#include "base/status.h"
#include "wire/frame.h"
#include "wire/limits.h"

namespace capsem::agent {

class FileFrames {
 public:
  explicit FileFrames(int socket) : socket_(socket), reader_(wire::kMaxFileMessage) {}
  FileFrames(const FileFrames&) = delete;
  FileFrames& operator=(const FileFrames&) = delete;

  // Waits for the next one, whose payload is valid until the next call. Cancelled: the other end is
  // gone, or says nothing more. InvalidArgument: it is no frame.
  StatusOr<wire::Frame> Next();
  // Cancelled: nobody is there to hear it.
  Status Send(wire::FrameKind kind, std::string_view payload);
  Status Send(wire::FrameKind kind, const google::protobuf::MessageLite& message) {
    return Send(kind, message.SerializeAsString());
  }
  // The last frame; then waits until the other end has heard it.
  void End(const Status& status);

 private:
  Status WriteAll(std::string_view bytes);

  const int socket_;
  wire::FrameReader reader_;
};

}  // namespace capsem::agent
