// The guest's end of `tools/bench/run link`; the host's is capsem-process/bulk_peer.h.
//
//   capsem-bulk plain|link to-host|to-guest BYTES
//
// Prints the microseconds from its request to the last byte that it got, or to the host's word that
// it has them all. `plain` is blocking reads and writes of a vsock stream with the agent's buffer;
// `link` is the agent's own HostLink and multiplexer, with a generator and a counter in place of
// commands. Neither generator fills its blocks. Never shipped.
#include <linux/vm_sockets.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "host_link.h"
#include "vsock_dialer.h"
#include "wire/limits.h"
#include "wire/testing/bulk.h"

namespace capsem::agent {
namespace {

std::array<char, wire::kBulkBlock> block;

StatusOr<UniqueFd> DialBulk(unsigned port) {
  UniqueFd fd(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FromErrno("make a vsock socket");
  WidenVsockBuffer(fd.get());
  sockaddr_vm host{};
  host.svm_family = AF_VSOCK;
  host.svm_cid = wire::kHostCid;
  host.svm_port = port;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&host), sizeof host) != 0)
    return FromErrno("connect to port {} of the host", port);
  return fd;
}

int Tell(Clock::TimePoint start) {
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::Now() - start);
  std::printf("%lld\n", static_cast<long long>(took.count()));
  std::fflush(stdout);
  return 0;
}

Status Plain(const wire::BulkRequest& request) {
  const UniqueFd fd = TRY(DialBulk(wire::kBulkPlainPort));
  const auto start = Clock::Now();
  if (write(fd.get(), &request, sizeof request) != sizeof request) return FromErrno("ask");
  const bool sends = request.way == wire::BulkRequest::kToHost;
  for (uint64_t left = request.bytes; left > 0;) {
    const size_t size = std::min<uint64_t>(left, block.size());
    const ssize_t count =
        sends ? write(fd.get(), block.data(), size) : read(fd.get(), block.data(), size);
    if (count <= 0) return FromErrno("move bytes");
    left -= static_cast<size_t>(count);
  }
  if (sends && read(fd.get(), block.data(), 1) != 1) return FromErrno("hear that all has come");
  Tell(start);
  return OkStatus();
}

class Linked {
 public:
  Linked(Loop& loop, const wire::BulkRequest& request)
      : request_(request),
        mux_(wire::Mux::Side::kGuest, MuxEvents()),
        link_(loop, mux_, [] { return DialBulk(wire::kBulkLinkPort); },
              {[this](Status why) { Fail(why); }}) {
    link_.OnDevice();
  }

 private:
  wire::Mux::Events MuxEvents() {
    wire::Mux::Events events;
    events.on_open = [this](wire::ChannelId id, auto...) { Begin(id); };
    events.on_readable = [this](wire::ChannelId id) { OnReadable(id); };
    events.on_writable = [this](wire::ChannelId) { SendOn(); };
    events.on_reset = [this](wire::ChannelId) { Fail(Unavailable("the host reset the channel")); };
    events.on_output = [this] { link_.PumpSoon(); };
    return events;
  }

  void Begin(wire::ChannelId id) {
    channel_ = id;
    const bool sends = request_.way == wire::BulkRequest::kToHost;
    to_send_ = sends ? request_.bytes : 0;
    to_come_ = sends ? 1 : request_.bytes;
    start_ = Clock::Now();
    mux_.Write(id, {reinterpret_cast<const char*>(&request_), sizeof request_});
    SendOn();
  }

  void SendOn() {
    while (to_send_ > 0) {
      const size_t room =
          mux_.MakeRoom(channel_, std::min<uint64_t>(to_send_, block.size())).size();
      if (room == 0) return;
      mux_.Wrote(channel_, room);
      to_send_ -= room;
    }
  }

  void OnReadable(wire::ChannelId id) {
    const size_t count = mux_.Readable(id).size();
    mux_.Consume(id, count);
    to_come_ -= std::min<uint64_t>(to_come_, count);
    if (to_come_ == 0) std::exit(Tell(start_));
  }

  void Fail(const Status& why) {
    std::fprintf(stderr, "capsem-bulk: %s\n", Describe(why).c_str());
    std::exit(1);
  }

  const wire::BulkRequest request_;
  wire::Mux mux_;
  HostLink link_;
  wire::ChannelId channel_ = 0;
  uint64_t to_send_ = 0;
  uint64_t to_come_ = 0;
  Clock::TimePoint start_;
};

int Main(int argc, char** argv) {
  if (argc != 4) return 2;
  const bool to_guest = std::string_view(argv[2]) == "to-guest";
  const wire::BulkRequest request{
      to_guest ? wire::BulkRequest::kToGuest : wire::BulkRequest::kToHost,
      std::strtoull(argv[3], nullptr, 10)};
  if (std::string_view(argv[1]) == "plain") {
    const Status done = Plain(request);
    if (!done.ok()) std::fprintf(stderr, "capsem-bulk: %s\n", Describe(done).c_str());
    return done.ok() ? 0 : 1;
  }
  // As the agent is.
  const sched_param no_priority{};
  if (sched_setscheduler(0, SCHED_BATCH, &no_priority) != 0) return 1;
  Loop loop;
  const Linked linked(loop, request);
  loop.Run();
  return 1;
}

}  // namespace
}  // namespace capsem::agent

int main(int argc, char** argv) { return capsem::agent::Main(argc, argv); }
