#include "bulk_peer.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace capsem::process {
namespace {

constexpr std::array<char, wire::kBulkBlock> kBlock = {};

}  // namespace

void BulkJob::OnBytes(std::string_view bytes) {
  if (head_.size() < sizeof request_) {
    const size_t taken = std::min(sizeof request_ - head_.size(), bytes.size());
    head_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (head_.size() < sizeof request_) return;
    std::memcpy(&request_, head_.data(), sizeof request_);
    left_ = request_.bytes;
  }
  if (request_.way != wire::BulkRequest::kToHost || answering_) return;
  left_ -= std::min<uint64_t>(left_, bytes.size());
  if (left_ > 0) return;
  answering_ = true;
  left_ = 1;
}

std::string_view BulkJob::ToSend() const {
  const bool sends = answering_ || request_.way == wire::BulkRequest::kToGuest;
  return {kBlock.data(), sends ? std::min<uint64_t>(left_, kBlock.size()) : 0};
}

class BulkPeer::Plain {
 public:
  Plain(Loop& loop, UniqueFd fd)
      : fd_(std::move(fd)), watch_(loop, fd_.get(), [this](int events) { OnReady(events); }) {
    watch_.Want(FdWatch::kReadable);
  }

 private:
  void OnReady(int events) {
    if ((events & FdWatch::kReadable) != 0) {
      const ssize_t count = recv(fd_.get(), block_.data(), block_.size(), MSG_DONTWAIT);
      if (count == 0 || (count < 0 && errno != EAGAIN)) return watch_.Want(0);
      if (count > 0) job_.OnBytes({block_.data(), static_cast<size_t>(count)});
    }
    for (auto block = job_.ToSend(); !block.empty(); block = job_.ToSend()) {
      const ssize_t count =
          send(fd_.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count <= 0) break;
      job_.Sent(static_cast<size_t>(count));
    }
    watch_.Want(FdWatch::kReadable | (job_.ToSend().empty() ? 0 : FdWatch::kWritable));
  }

  UniqueFd fd_;
  BulkJob job_;
  std::array<char, wire::kBulkBlock> block_;
  FdWatch watch_;  // after fd_: destroyed first
};

class BulkPeer::Linked {
 public:
  Linked(Loop& loop, UniqueFd fd) : link_(loop, Events()) { link_.Adopt(std::move(fd)); }

 private:
  GuestLink::Events Events() {
    return {
        .on_up = [this] { Open(); },
        .on_control = [](const auto&) {},
        .on_readable =
            [this](wire::ChannelId id) {
              const std::string_view bytes = link_.mux().Readable(id);
              job_.OnBytes(bytes);
              link_.mux().Consume(id, bytes.size());
              SendOn();
            },
        .on_writable = [this](wire::ChannelId) { SendOn(); },
        .on_reset = [](wire::ChannelId) {},
        .on_broken =
            [](const Status& why) {
              log::Warning("bulk", {{"why", Describe(why)}});
            },
    };
  }

  void Open() {
    auto opened = link_.mux().Open(wire::ChannelKind::kExec);
    if (opened.ok()) channel_ = *opened;
  }

  void SendOn() {
    for (auto block = job_.ToSend(); !block.empty(); block = job_.ToSend()) {
      const size_t room = link_.mux().MakeRoom(channel_, block.size()).size();
      if (room == 0) return;
      link_.mux().Wrote(channel_, room);
      job_.Sent(room);
    }
  }

  BulkJob job_;
  wire::ChannelId channel_ = 0;
  GuestLink link_;
};

BulkPeer::BulkPeer(Loop& loop) : loop_(loop) {}

BulkPeer::~BulkPeer() = default;

void BulkPeer::Adopt(uint32_t port, UniqueFd fd) {
  if (port == wire::kBulkPlainPort) plain_ = std::make_unique<Plain>(loop_, std::move(fd));
  if (port == wire::kBulkLinkPort) linked_ = std::make_unique<Linked>(loop_, std::move(fd));
}

}  // namespace capsem::process
