#include "machine/qmp_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::process {
namespace {

constexpr std::string_view kGreeting = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";

// The client against a peer whose every byte the test writes.
struct Fixture {
  Fixture() {
    auto ends = VALUE_OF(SocketPair());
    peer = std::move(ends.second);
    client = std::make_unique<QmpClient>(
        loop, std::move(ends.first),
        QmpClient::Events{[this](const QmpEvent& event) { Note("event " + event.name); },
                          [this](Status status) {
                            Note("end");
                            end = std::move(status);
                          }});
  }
  void Note(std::string text) { seen.push_back(std::move(text)); }
  void Say(std::string_view bytes) {
    REQUIRE(send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  // Runs a command whose end is noted as "name: code".
  void Ask(std::string name, std::chrono::milliseconds limit = std::chrono::seconds(30)) {
    client->Execute({.name = name, .limit = limit}, [this, name](StatusOr<QmpFields> result) {
      Note(name + ": " + absl::StatusCodeToString(result.status().code()));
    });
  }
  std::string Heard() {
    char bytes[4096];
    const ssize_t count = recv(peer.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    return count > 0 ? std::string(bytes, static_cast<size_t>(count)) : "";
  }
  bool Seen(size_t count) {
    return loop.RunUntil([this, count] { return seen.size() >= count; });
  }

  TestLoop loop;
  UniqueFd peer;
  std::vector<std::string> seen;
  std::optional<Status> end;
  std::unique_ptr<QmpClient> client;
};

using Notes = std::vector<std::string>;

}  // namespace

TEST_CASE("answers find their commands by id, in any order, with events between") {
  Fixture f;
  f.Ask("qmp_capabilities");
  f.Ask("stop");
  f.Ask("cont");
  REQUIRE(f.seen.empty());
  REQUIRE(f.Heard() ==
          "{\"execute\": \"qmp_capabilities\", \"id\": \"1\"}\n"
          "{\"execute\": \"stop\", \"id\": \"2\"}\n{\"execute\": \"cont\", \"id\": \"3\"}\n");
  f.Say(kGreeting);
  f.Say(
      "{\"return\": {}, \"id\": \"1\"}\r\n{\"event\": \"RESUME\"}\r\n{\"return\": {}, \"id\": "
      "\"3\"}\n");
  f.Say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": \"2\"}\n");
  REQUIRE(f.Seen(4));
  REQUIRE(f.seen ==
          Notes{"qmp_capabilities: OK", "event RESUME", "cont: OK", "stop: FAILED_PRECONDITION"});
}

TEST_CASE("bytes may come one at a time") {
  Fixture f;
  f.Ask("qmp_capabilities");
  for (const char byte : std::string(kGreeting) + "{\"return\": {}, \"id\": \"1\"}\n") {
    f.Say(std::string_view(&byte, 1));
    f.loop.RunReady();
  }
  REQUIRE(f.seen == Notes{"qmp_capabilities: OK"});
}

TEST_CASE("what is not QMP ends every command once, in order, then the connection") {
  struct Case {
    std::string_view name;
    std::string bytes;
  };
  const Case cases[] = {
      {"garbage", std::string(kGreeting) + "garbage\n"},
      {"no greeting", "{\"return\": {}, \"id\": \"1\"}\n"},
      {"greeted twice", std::string(kGreeting) + std::string(kGreeting)},
      {"an id never given", std::string(kGreeting) + "{\"return\": {}, \"id\": \"99\"}\n"},
      {"an id that is no number", std::string(kGreeting) + "{\"return\": {}, \"id\": \"1x\"}\n"},
      {"a huge line", std::string(kGreeting) + std::string(kMaxQmpLine + 1, ' ')},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    Fixture f;
    f.Ask("first");
    f.Ask("second");
    f.Say(c.bytes);
    REQUIRE(f.Seen(3));
    f.loop.RunReady();
    REQUIRE(f.seen == Notes{"first: DATA_LOSS", "second: DATA_LOSS", "end"});
    REQUIRE_CODE(*f.end, kDataLoss);
    f.Ask("late");
    REQUIRE(f.seen.size() == 3);
    REQUIRE(f.Seen(4));
    REQUIRE(f.seen.back() == "late: UNAVAILABLE");
  }
}

TEST_CASE("a peer that goes mid-command ends it") {
  Fixture f;
  f.Ask("first");
  f.Say(kGreeting);
  f.Say("{\"return\": {}, \"id\": \"1\"}\n{\"event\": \"SHUTDOWN\"}\n{\"retu");
  f.Ask("second");
  f.peer.Reset();
  REQUIRE(f.Seen(4));
  REQUIRE(f.seen == Notes{"first: OK", "event SHUTDOWN", "second: UNAVAILABLE", "end"});
}

TEST_CASE("a command without an answer ends at its limit, and its late answer harms nothing") {
  Fixture f;
  f.Say(kGreeting);
  f.Ask("slow", std::chrono::milliseconds(1));
  REQUIRE(f.Seen(1));
  REQUIRE(f.seen == Notes{"slow: DEADLINE_EXCEEDED"});
  f.Say("{\"return\": {}, \"id\": \"1\"}\n");
  f.Ask("next");
  f.Say("{\"return\": {}, \"id\": \"2\"}\n");
  REQUIRE(f.Seen(2));
  REQUIRE(f.seen.back() == "next: OK");
}

TEST_CASE("an answer given twice ends its command once") {
  Fixture f;
  f.Ask("once");
  f.Say(std::string(kGreeting) +
        "{\"return\": {}, \"id\": \"1\"}\n{\"return\": {}, \"id\": \"1\"}\n");
  f.Say("{\"event\": \"STOP\"}\n");
  REQUIRE(f.Seen(2));
  REQUIRE(f.seen == Notes{"once: OK", "event STOP"});
}

TEST_CASE("commands are bounded when QEMU does not answer") {
  Fixture f;
  for (size_t i = 0; i < QmpClient::kMaxPending; ++i) f.Ask("waits");
  f.Ask("one too many");
  REQUIRE(f.Seen(1));
  REQUIRE(f.seen == Notes{"one too many: RESOURCE_EXHAUSTED"});
}

TEST_CASE("output waits while QEMU does not read, and none is lost") {
  Fixture f;
  int small = 1;
  REQUIRE(setsockopt(f.peer.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
  const std::string arguments = "\"" + std::string(60'000, 'x') + "\"";
  size_t expected = 0;
  for (int i = 1; i <= 20; ++i) {
    f.client->Execute({.name = "x", .arguments = arguments}, [](StatusOr<QmpFields>) {});
    expected += QmpCommandLine("x", arguments, std::to_string(i)).size();
  }
  size_t heard = 0;
  REQUIRE(f.loop.RunUntil([&] {
    for (std::string part = f.Heard(); !part.empty(); part = f.Heard()) heard += part.size();
    return heard >= expected;
  }));
  REQUIRE(heard == expected);
}

TEST_CASE("a descriptor travels with its command") {
  Fixture f;
  UniqueFd sent(open("/dev/null", O_RDWR | O_CLOEXEC));
  struct stat before {};
  REQUIRE(fstat(sent.get(), &before) == 0);
  f.client->Execute({.name = "getfd", .arguments = "{\"fdname\": \"a\"}", .fd = std::move(sent)},
                    [](StatusOr<QmpFields>) {});
  char bytes[256];
  iovec into{bytes, sizeof bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  REQUIRE(recvmsg(f.peer.get(), &message, MSG_DONTWAIT) > 0);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  REQUIRE(header != nullptr);
  int received = -1;
  std::memcpy(&received, CMSG_DATA(header), sizeof received);
  const UniqueFd owned(received);
  struct stat after {};
  REQUIRE(fstat(owned.get(), &after) == 0);
  REQUIRE(after.st_rdev == before.st_rdev);
}

TEST_CASE("the client may be destroyed by any of its callbacks") {
  SECTION("by an answer") {
    Fixture f;
    f.client->Execute({.name = "x"}, [&f](StatusOr<QmpFields>) {
      f.Note("done");
      f.client.reset();
    });
    f.Say(std::string(kGreeting) + "{\"return\": {}, \"id\": \"1\"}\n{\"event\": \"STOP\"}\n");
    REQUIRE(f.Seen(1));
    f.loop.RunReady();
    REQUIRE(f.seen == Notes{"done"});
  }
  SECTION("by a limit") {
    Fixture f;
    f.client->Execute({.name = "x", .limit = std::chrono::milliseconds(1)},
                      [&f](StatusOr<QmpFields>) {
                        f.Note("done");
                        f.client.reset();
                      });
    REQUIRE(f.Seen(1));
  }
  SECTION("by the end of a command when the connection ends") {
    Fixture f;
    f.client->Execute({.name = "x"}, [&f](StatusOr<QmpFields>) {
      f.Note("done");
      f.client.reset();
    });
    f.Ask("never ended: its client is gone");
    f.peer.Reset();
    REQUIRE(f.Seen(1));
    f.loop.RunReady();
    REQUIRE(f.seen == Notes{"done"});
  }
}

TEST_CASE("what QEMU said before it died is heard at once by draining") {
  Fixture f;
  f.Say(std::string(kGreeting) + "{\"event\": \"SHUTDOWN\"}\n");
  REQUIRE_FALSE(f.client->PeerGone());
  f.peer.Reset();
  REQUIRE(f.client->PeerGone());
  f.client->Drain();
  REQUIRE(f.seen == Notes{"event SHUTDOWN", "end"});
  REQUIRE_CODE(*f.end, kUnavailable);
}

}  // namespace capsem::process
