#include "machine/vsock_plug.h"

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <vector>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::process {
namespace {

// A monitor that follows a script: it answers each command by its name and notes it.
struct Fixture {
  explicit Fixture(std::chrono::milliseconds unplug_limit = std::chrono::hours(1)) {
    auto ends = VALUE_OF(SocketPair());
    monitor = std::make_unique<ByteStream>(
        loop, std::move(ends.second),
        ByteStream::Events{.on_bytes = [this](std::string_view bytes) { OnCommand(bytes); },
                           .on_end = [](const Status&) {}});
    qmp = std::make_unique<QmpClient>(
        loop, std::move(ends.first),
        QmpClient::Events{[this](const QmpEvent& event) { plug->OnEvent(event); },
                          [this](const Status& status) { plug->Lost(status); }});
    plug = std::make_unique<VsockPlug>(loop, *qmp, unplug_limit);
    monitor->Write("{\"QMP\": {}}\n");
  }

  // One command at a time: the plug waits for each answer.
  void OnCommand(std::string_view line) {
    const size_t name = line.find(": \"") + 3;
    const std::string command(line.substr(name, line.find('"', name) - name));
    const size_t id = line.rfind("\"id\": ") + 6;
    const std::string number(line.substr(id, line.find('}', id) - id));
    asked.push_back(command);
    if (command == refuse) {
      monitor->Write(fmt::format(
          "{{\"error\": {{\"class\": \"GenericError\", \"desc\": \"refused\"}}, \"id\": {}}}\n",
          number));
      return;
    }
    if (command == "device_del" && guest == Guest::kQuick) Deleted();
    monitor->Write(fmt::format("{{\"return\": {{}}, \"id\": {}}}\n", number));
    if (command == "device_del" && guest == Guest::kLetsGo) Deleted();
  }
  void Deleted() {
    monitor->Write(
        "{\"event\": \"DEVICE_DELETED\", \"data\": {\"path\": \"/x\", \"device\": \"other\"}}\n");
    monitor->Write(
        "{\"event\": \"DEVICE_DELETED\", \"data\": {\"path\": \"/y\", \"device\": \"vsock0\"}}\n");
  }

  Status Plug() {
    auto ends = VALUE_OF(SocketPair());
    return Wait([&](VsockPlug::Done done) { plug->Plug(std::move(ends.first), std::move(done)); });
  }
  Status Unplug() {
    return Wait([&](VsockPlug::Done done) { plug->Unplug(std::move(done)); });
  }
  Status Wait(absl::AnyInvocable<void(VsockPlug::Done)> start) {
    std::optional<Status> ended;
    int times = 0;
    start([&](Status status) {
      ended = std::move(status);
      ++times;
    });
    REQUIRE(times == 0);
    REQUIRE(loop.RunUntil([&] { return ended.has_value(); }));
    loop.RunReady();
    REQUIRE(times == 1);
    return *ended;
  }

  enum class Guest { kLetsGo, kQuick, kHangs };
  Guest guest = Guest::kLetsGo;
  std::string refuse;
  std::vector<std::string> asked;
  TestLoop loop;
  std::unique_ptr<ByteStream> monitor;
  std::unique_ptr<QmpClient> qmp;
  std::unique_ptr<VsockPlug> plug;
};

using Asked = std::vector<std::string>;
const Asked kPlugging = {"getfd", "chardev-add", "device_add"};
const Asked kUnplugging = {"device_del", "chardev-remove"};

}  // namespace

TEST_CASE("the device is plugged in, unplugged and plugged in again") {
  Fixture f;
  for (int round = 0; round < 3; ++round) {
    f.asked.clear();
    REQUIRE_OK(f.Plug());
    REQUIRE(f.asked == kPlugging);
    f.asked.clear();
    REQUIRE_OK(f.Unplug());
    REQUIRE(f.asked == kUnplugging);
  }
}

TEST_CASE("a guest may let go before QEMU has answered") {
  Fixture f;
  f.guest = Fixture::Guest::kQuick;
  REQUIRE_OK(f.Plug());
  REQUIRE_OK(f.Unplug());
}

TEST_CASE("verbs are refused when the device is not as they need it") {
  Fixture f;
  REQUIRE_CODE(f.Unplug(), kFailedPrecondition);
  REQUIRE_OK(f.Plug());
  REQUIRE_CODE(f.Plug(), kFailedPrecondition);
}

TEST_CASE("one verb at a time") {
  Fixture f;
  std::vector<StatusCode> codes;
  const auto note = [&](const Status& status) { codes.push_back(status.code()); };
  f.plug->Plug(UniqueFd(), note);
  f.plug->Plug(UniqueFd(), note);
  f.plug->Unplug(note);
  REQUIRE(f.loop.RunUntil([&] { return codes.size() == 3; }));
  REQUIRE(codes == std::vector{StatusCode::kFailedPrecondition, StatusCode::kFailedPrecondition,
                               StatusCode::kOk});
}

TEST_CASE("a step that QEMU refuses ends the plugging, and the next one starts clean") {
  struct Case {
    std::string refused;
    Asked next;
  };
  const Case cases[] = {
      {"getfd", kPlugging},
      {"chardev-add", kPlugging},
      {"device_add", {"chardev-remove", "getfd", "chardev-add", "device_add"}},
  };
  for (const Case& c : cases) {
    INFO(c.refused);
    Fixture f;
    f.refuse = c.refused;
    REQUIRE_CODE(f.Plug(), kFailedPrecondition);
    f.refuse.clear();
    f.asked.clear();
    REQUIRE_OK(f.Plug());
    REQUIRE(f.asked == c.next);
  }
}

TEST_CASE("a guest that hangs ends the unplugging at the limit, and may let go later") {
  Fixture f(std::chrono::milliseconds(1));
  REQUIRE_OK(f.Plug());
  f.guest = Fixture::Guest::kHangs;
  const Status status = f.Unplug();
  REQUIRE_CODE(status, kDeadlineExceeded);
  REQUIRE(Message(status).find("guest did not let go") != std::string_view::npos);
  REQUIRE_CODE(f.Plug(), kFailedPrecondition);

  SECTION("by itself") {
    f.Deleted();
    f.loop.RunReady();
    f.asked.clear();
    REQUIRE_OK(f.Unplug());
    REQUIRE(f.asked == Asked{"chardev-remove"});
  }
  SECTION("asked again, which QEMU refuses to pass on") {
    f.refuse = "device_del";
    REQUIRE_CODE(f.Unplug(), kDeadlineExceeded);
    f.Deleted();
    f.loop.RunReady();
    REQUIRE_OK(f.Unplug());
  }
}

TEST_CASE("a guest that throws the device out gets a new one at the next plugging") {
  Fixture f;
  REQUIRE_OK(f.Plug());
  f.Deleted();
  f.loop.RunReady();
  f.asked.clear();
  REQUIRE_OK(f.Plug());
  REQUIRE(f.asked == Asked{"chardev-remove", "getfd", "chardev-add", "device_add"});
}

TEST_CASE("a monitor that is lost ends the verb at work") {
  Fixture f;
  REQUIRE_OK(f.Plug());
  f.guest = Fixture::Guest::kHangs;
  std::optional<Status> ended;
  f.plug->Unplug([&](Status status) { ended = std::move(status); });
  REQUIRE(f.loop.RunUntil([&] { return f.asked.back() == "device_del"; }));
  f.loop.RunReady();
  REQUIRE_FALSE(ended);
  f.monitor.reset();
  REQUIRE(f.loop.RunUntil([&] { return ended.has_value(); }));
  REQUIRE_CODE(*ended, kUnavailable);
  REQUIRE_CODE(f.Unplug(), kUnavailable);
}

}  // namespace capsem::process
