#include "machine/qemu_machine.h"

#include <signal.h>

#include <fstream>
#include <iterator>
#include <optional>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::process {
namespace {

// A QEMU that answers every command; the body of `on(command)` is the test's.
constexpr char kScript[] = R"(
import json, os, signal, socket, sys
qmp = socket.socket(fileno=int(sys.argv[1]))
serial = socket.socket(fileno=int(sys.argv[2]))
def say(**message): qmp.sendall(json.dumps(message).encode() + b"\r\n")
def event(name, **data): say(event=name, data=data, timestamp={{}})
def console(text): serial.sendall(text.encode())
def leave(code): os._exit(code)
def on(command):
    {}
say(QMP={{}})
for line in qmp.makefile():
    command = json.loads(line)
    on(command["execute"])
    say(**{{"return": {{}}, "id": command["id"]}})
)";

struct Fixture {
  // `behaviour` is a line of Python with `command` in its hand.
  void Make(std::string_view behaviour) {
    QemuSpec spec;
    spec.argv = {"/usr/bin/python3", "-c",          fmt::format(fmt::runtime(kScript), behaviour),
                 "{fd:qmp}",         "{fd:serial}", "{fd:ram}"};
    MakeOf(std::move(spec));
  }
  void MakeOf(QemuSpec spec) {
    spec.memory_bytes = uint64_t{16} << 20;
    spec.serial_log_dir = dir.path();
    machine = VALUE_OF(QemuMachine::Create(
        loop, std::move(spec),
        {.on_exit =
             [this](Machine::Exit end) {
               REQUIRE_FALSE(exit);
               exit = std::move(end);
             },
         .on_stalled = [this](Status status) { stalls.push_back(std::move(status)); }}));
  }
  Status Wait(absl::AnyInvocable<void(Machine::Done)> start) {
    std::optional<Status> ended;
    start([&](Status status) {
      REQUIRE_FALSE(ended);
      ended = std::move(status);
    });
    REQUIRE_FALSE(ended);
    REQUIRE(loop.RunUntil([&] { return ended.has_value(); }));
    loop.RunReady();
    return *ended;
  }
  Status Boot() {
    auto ends = VALUE_OF(SocketPair());
    vsock = std::move(ends.second);
    return Wait([&](Machine::Done done) { machine->Boot(std::move(ends.first), std::move(done)); });
  }
  Machine::Exit End() {
    REQUIRE(loop.RunUntil([this] { return exit.has_value(); }));
    return *exit;
  }

  TestLoop loop;
  TempDir dir;
  UniqueFd vsock;
  std::optional<Machine::Exit> exit;
  std::vector<Status> stalls;
  std::unique_ptr<QemuMachine> machine;
};

}  // namespace

TEST_CASE("a machine boots, stands still, goes on, gets its device anew and is killed") {
  Fixture f;
  f.Make("if command == 'device_del': event('DEVICE_DELETED', device='vsock0')");
  REQUIRE(f.machine->pid() == 0);
  REQUIRE_OK(f.Boot());
  const pid_t pid = f.machine->pid();
  REQUIRE(kill(pid, 0) == 0);
  REQUIRE_OK(f.Wait([&](Machine::Done done) { f.machine->Pause(std::move(done)); }));
  REQUIRE_OK(f.Wait([&](Machine::Done done) { f.machine->Resume(std::move(done)); }));
  REQUIRE_OK(f.Wait([&](Machine::Done done) { f.machine->UnplugVsock(std::move(done)); }));
  auto ends = VALUE_OF(SocketPair());
  REQUIRE_OK(f.Wait(
      [&](Machine::Done done) { f.machine->PlugVsock(std::move(ends.first), std::move(done)); }));
  f.machine->Kill("ended by force");
  REQUIRE(f.End().reason == "ended by force");
  REQUIRE_FALSE(f.exit->clean);
  REQUIRE(f.machine->pid() == 0);
  f.machine->Kill("ended by force");
  REQUIRE_CODE(f.Wait([&](Machine::Done done) { f.machine->Pause(std::move(done)); }),
               kUnavailable);
}

TEST_CASE("a guest's end is told with what it means") {
  struct Case {
    std::string behaviour;
    bool clean;
    std::string_view reason;
  };
  const Case cases[] = {
      {"if command == 'cont': say(**{'return': {}, 'id': '5'}); event('SHUTDOWN', guest=True, "
       "reason='guest-shutdown'); leave(0)",
       true, "the guest powered off"},
      {"if command == 'cont': say(**{'return': {}, 'id': '5'}); console('Kernel panic - not "
       "syncing: x\\r\\n'); event('SHUTDOWN', guest=True, reason='guest-reset'); leave(0)",
       false, "the guest panicked: Kernel panic - not syncing: x"},
      {"if command == 'cont': say(**{'return': {}, 'id': '5'}); event('SHUTDOWN', guest=True, "
       "reason='guest-shutdown')\n    if command == 'quit': event('SHUTDOWN', guest=False, "
       "reason='host-qmp-quit'); leave(0)",
       true, "the guest powered off"},
      {"if command == 'cont': say(**{'return': {}, 'id': '5'}); console('login:'); "
       "os.kill(os.getpid(), 9)",
       false, "QEMU ended with signal 9 (Killed); the console ended with: login:"},
      {"if command == 'cont': say(**{'return': {}, 'id': '5'}); os.write(2, b'no more\\n'); "
       "leave(1)",
       false, "QEMU ended with exit code 1, saying: no more"},
      {"if command == 'cont': say(**{'return': {}, 'id': '5'}); qmp.sendall(b'garbage\\n')", false,
       "QEMU's monitor sent a line that is no JSON object"},
  };
  for (const Case& c : cases) {
    INFO(c.reason);
    Fixture f;
    f.Make(c.behaviour);
    REQUIRE_OK(f.Boot());
    REQUIRE(f.End().reason == c.reason);
    REQUIRE(f.exit->clean == c.clean);
  }
}

TEST_CASE("a boot that fails says why, leaves no process and no further word") {
  struct Case {
    std::string behaviour;
    StatusCode code;
    std::string_view why;
  };
  const Case cases[] = {
      {"os.write(2, b'no such option\\n'); leave(1)", StatusCode::kUnavailable,
       "QEMU ended with exit code 1, saying: no such option"},
      {"if command == 'device_add': say(**{'error': {'class': 'GenericError', 'desc': 'no such "
       "bus'}, 'id': '4'}); return",
       StatusCode::kFailedPrecondition, "plug the vsock device in: no such bus"},
      {"if command == 'chardev-add': qmp.sendall(b'}\\n')", StatusCode::kDataLoss,
       "plug the vsock device in: asking QEMU to chardev-add"},
  };
  for (const Case& c : cases) {
    INFO(c.why);
    Fixture f;
    f.Make(c.behaviour);
    const Status status = f.Boot();
    INFO(Describe(status));
    REQUIRE(status.code() == c.code);
    REQUIRE(Message(status).substr(0, c.why.size()) == c.why);
    REQUIRE(f.machine->pid() == 0);
    f.loop.RunReady();
    REQUIRE_FALSE(f.exit);
  }
}

TEST_CASE("a machine that is killed while it boots ends its boot") {
  Fixture f;
  f.Make("signal.pause()");
  auto ends = VALUE_OF(SocketPair());
  std::optional<Status> ended;
  f.machine->Boot(std::move(ends.first), [&](Status status) { ended = std::move(status); });
  f.machine->Kill("ended by force");
  REQUIRE(f.loop.RunUntil([&] { return ended.has_value(); }));
  REQUIRE_CODE(*ended, kUnavailable);
  REQUIRE(Message(*ended) == "ended by force");
}

TEST_CASE("a full disk of the host is told once, and the guest goes on when it is resumed") {
  Fixture f;
  f.Make(
      "if command == 'cont': [event('BLOCK_IO_ERROR', device='d', operation='write', "
      "action='stop', nospace=True, reason='No space left on device') for _ in range(3)]\n"
      "    if command == 'cont': event('RESUME')");
  REQUIRE_OK(f.Boot());
  REQUIRE(f.stalls.size() == 1);
  REQUIRE_CODE(f.stalls.front(), kResourceExhausted);
  REQUIRE_FALSE(Remedy(f.stalls.front()).empty());
  REQUIRE_OK(f.Wait([&](Machine::Done done) { f.machine->Resume(std::move(done)); }));
  REQUIRE(f.stalls.size() == 2);
}

TEST_CASE("what the guest prints is in the session's log") {
  Fixture f;
  f.Make("if command == 'cont': console('Linux version 6.1\\r\\n')");
  REQUIRE_OK(f.Boot());
  REQUIRE(f.loop.RunUntil([&] {
    std::ifstream log(f.dir / "serial.log");
    return std::string(std::istreambuf_iterator<char>(log), {}) == "Linux version 6.1\r\n";
  }));
}

TEST_CASE("a machine may be destroyed by its own word") {
  Fixture f;
  SECTION("of its boot") {
    f.Make("pass");
    auto ends = VALUE_OF(SocketPair());
    f.machine->Boot(std::move(ends.first), [&](const Status&) { f.machine.reset(); });
    REQUIRE(f.loop.RunUntil([&] { return f.machine == nullptr; }));
  }
  SECTION("of its end") {
    QemuSpec spec;
    spec.argv = {"/usr/bin/python3", "-c",          fmt::format(fmt::runtime(kScript), "pass"),
                 "{fd:qmp}",         "{fd:serial}", "{fd:ram}"};
    spec.memory_bytes = 4096;
    spec.serial_log_dir = f.dir.path();
    f.machine = VALUE_OF(QemuMachine::Create(
        f.loop, std::move(spec), {.on_exit = [&](const Machine::Exit&) { f.machine.reset(); }}));
    REQUIRE_OK(f.Boot());
    f.machine->Kill("ended by force");
    REQUIRE(f.loop.RunUntil([&] { return f.machine == nullptr; }));
  }
  SECTION("of a boot that fails") {
    f.Make("leave(1)");
    auto ends = VALUE_OF(SocketPair());
    f.machine->Boot(std::move(ends.first), [&](const Status&) { f.machine.reset(); });
    REQUIRE(f.loop.RunUntil([&] { return f.machine == nullptr; }));
  }
}

TEST_CASE("a real QEMU greets, takes the socket and the memory, and dies on order") {
  Fixture f;
  QemuSpec spec;
  spec.argv = {"/usr/bin/qemu-system-x86_64",
               "-M",
               "none",
               "-S",
               "-nodefaults",
               "-display",
               "none",
               "-chardev",
               "socket,id=qmp,fd={fd:qmp}",
               "-mon",
               "chardev=qmp,mode=control",
               "-chardev",
               "socket,id=serial,fd={fd:serial}",
               "-object",
               "memory-backend-file,id=ram,share=on,size=16M,mem-path=/proc/self/fd/{fd:ram}"};
  f.MakeOf(std::move(spec));
  // A machine of no kind has no bus for the device: everything before that has worked.
  const Status status = f.Boot();
  REQUIRE_CODE(status, kFailedPrecondition);
  REQUIRE(Message(status) == "plug the vsock device in: Bus 'hotplug0' not found");
  REQUIRE(f.machine->pid() == 0);
}

}  // namespace capsem::process
