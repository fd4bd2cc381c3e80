#include "machine/qmp_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace capsem::process {
namespace {

constexpr size_t kChunk = 16 * 1024;
// After QEMU's death its socket holds what fits into the kernel's buffer (about 200 KiB) and no
// more.
constexpr int kDrainChunks = 64;

}  // namespace

QmpClient::QmpClient(Loop& loop, UniqueFd fd, Events events)
    : loop_(loop),
      fd_(std::move(fd)),
      events_(std::move(events)),
      watch_(loop, fd_.get(), [this](int ready) { OnReady(ready); }) {
  UpdateWatch();
}

void QmpClient::Execute(QmpCommand command, Done done) {
  loop_.AssertOwned();
  Status refusal;
  if (ended_) refusal = Unavailable("QEMU's monitor is closed");
  if (pending_.size() >= kMaxPending || output_.size() >= kMaxPending) {
    refusal = ResourceExhausted("QEMU has left {} commands unanswered", kMaxPending);
  }
  if (!refusal.ok()) {
    loop_.Post([done = std::move(done), refusal]() mutable { done(refusal); });
    return;
  }
  const uint64_t id = next_id_++;
  output_.push_back(
      {QmpCommandLine(command.name, command.arguments, std::to_string(id)), std::move(command.fd)});
  const auto limit = command.limit;
  Pending& pending =
      pending_.try_emplace(id, loop_, std::move(command.name), std::move(done)).first->second;
  pending.limit.Start(limit, [this, id, limit] {
    EndCommand(id, DeadlineExceeded("QEMU did not answer {} within {} ms", pending_.at(id).name,
                                    limit.count()));
  });
  Flush();
}

void QmpClient::Drain() {
  for (int chunk = 0; chunk < kDrainChunks; ++chunk) {
    if (ended_ || !ReadSome()) return;
  }
}

bool QmpClient::PeerGone() const {
  pollfd end{fd_.get(), POLLRDHUP, 0};
  return poll(&end, 1, 0) > 0;
}

void QmpClient::OnReady(int events) {
  if ((events & FdWatch::kWritable) != 0) Flush();
  if ((events & FdWatch::kReadable) != 0 && !ended_) ReadSome();
}

void QmpClient::UpdateWatch() {
  watch_.Want(ended_ ? 0 : FdWatch::kReadable | (output_.empty() ? 0 : FdWatch::kWritable));
}

bool QmpClient::ReadSome() {
  char chunk[kChunk];
  const ssize_t count = recv(fd_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    End(Unavailable("QEMU closed its monitor"));
    return false;
  }
  decoder_.Append(std::string_view(chunk, static_cast<size_t>(count)));
  while (true) {
    auto message = decoder_.Next();
    if (!message.ok()) {
      End(message.status());
      return false;
    }
    if (!message->has_value()) return true;
    if (!Handle(**std::move(message))) return false;
  }
}

bool QmpClient::Handle(QmpMessage message) {
  const auto self = weak_.Get();
  if (std::holds_alternative<QmpGreeting>(message) == greeted_) {
    End(DataLoss("QEMU's monitor greeted {}", greeted_ ? "twice" : "too late"));
    return false;
  }
  greeted_ = true;
  if (auto* answer = std::get_if<QmpAnswer>(&message)) return HandleAnswer(std::move(*answer));
  if (auto* event = std::get_if<QmpEvent>(&message)) events_.on_event(*event);
  return self && !ended_;
}

bool QmpClient::HandleAnswer(QmpAnswer answer) {
  uint64_t id = 0;
  const char* end = answer.id.data() + answer.id.size();
  const auto parsed = std::from_chars(answer.id.data(), end, id);
  if (parsed.ec != std::errc() || parsed.ptr != end || id == 0 || id >= next_id_) {
    End(DataLoss("QEMU's monitor answered a command that was never given"));
    return false;
  }
  const auto self = weak_.Get();
  // An id that is ours but not pending is the late answer of a command whose limit is over.
  if (pending_.contains(id)) {
    if (answer.status.ok())
      EndCommand(id, std::move(answer.fields));
    else
      EndCommand(id, std::move(answer.status));
  }
  return self && !ended_;
}

void QmpClient::Flush() {
  while (!ended_ && !output_.empty()) {
    Output& output = output_.front();
    const ssize_t sent = Send(output);
    if (sent < 0 && errno == EINTR) continue;
    // Other errors are met again, and told, by the read: the watch is level-triggered.
    if (sent < 0) break;
    output.fd.Reset();
    output.bytes.erase(0, static_cast<size_t>(sent));
    if (output.bytes.empty()) output_.pop_front();
  }
  UpdateWatch();
}

// The descriptor rides on the first byte of its command.
ssize_t QmpClient::Send(const Output& output) {
  iovec bytes{const_cast<char*>(output.bytes.data()), output.bytes.size()};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (output.fd.valid()) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = output.fd.get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  return sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void QmpClient::EndCommand(uint64_t id, StatusOr<QmpFields> result) {
  auto node = pending_.extract(id);
  Done done = std::move(node.mapped().done);
  done(std::move(result));  // it may destroy this
}

void QmpClient::End(Status status) {
  ended_ = true;
  output_.clear();
  UpdateWatch();
  const auto self = weak_.Get();
  while (!pending_.empty()) {
    EndCommand(pending_.begin()->first,
               Annotate(status, "asking QEMU to {}", pending_.begin()->second.name));
    if (!self) return;
  }
  events_.on_end(std::move(status));
}

}  // namespace capsem::process
