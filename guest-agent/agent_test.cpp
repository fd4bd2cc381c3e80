#include "agent.h"

#include <fcntl.h>
#include <signal.h>

#include "exec/process_groups.h"
#include "testing/fake_host.h"

namespace capsem::agent {
namespace {

using capsem::guest::v1::Configure;
using capsem::guest::v1::GuestFrame;
using capsem::guest::v1::HostFrame;

// An agent whose machine is a set of notes, and its host.
class Machine {
 public:
  Machine()
      : null_(open("/dev/null", O_RDWR | O_CLOEXEC)),
        reaper_(VALUE_OF(Reaper::Create(loop))),
        groups_(loop),
        agent_(ExecServices{loop, *reaper_, groups_, {null_.get(), -1}}, {}, host.Dial(),
               [this](const Configure& configure, auto done) {
                 identities.push_back(configure.hostname());
                 apply_ = std::move(done);
               },
               {[](int) {}, [] { return 0; }, [this](PowerOff::End) { off = true; }}) {
    signal(SIGPIPE, SIG_IGN);
    host.on_readable = [this](wire::ChannelId id) { OnReadable(id); };
    agent_.OnDevice();
    REQUIRE(loop.RunUntil([&] { return host.linked(); }));
  }

  void Tell(const HostFrame& frame) {
    host.mux().Write(wire::kControlChannel,
                     wire::EncodeFrame(wire::FrameKind::kMessage, frame.SerializeAsString()));
  }
  void Identify(Status applied) {
    HostFrame frame;
    frame.mutable_configure()->set_hostname("box");
    (*frame.mutable_configure()->mutable_env())["A"] = "from the session";
    Tell(frame);
    REQUIRE(loop.RunUntil([&] { return static_cast<bool>(apply_); }));
    std::exchange(apply_, nullptr)(std::move(applied));
    REQUIRE(loop.RunUntil([&] { return !told.empty(); }));
  }
  wire::ChannelId Run(const std::string& line) {
    const wire::ChannelId channel = VALUE_OF(host.mux().Open(wire::ChannelKind::kExec));
    capsem::guest::v1::ExecStart start;
    start.set_exec(channel);
    start.set_cwd("/");
    for (const std::string& argument : {std::string("sh"), std::string("-c"), line})
      start.add_argv(argument);
    host.mux().Write(channel,
                     wire::EncodeFrame(wire::FrameKind::kExecStart, start.SerializeAsString()));
    return channel;
  }
  bool Heard(const std::string& text) {
    return loop.RunUntil([&] { return heard.find(text) != std::string::npos; });
  }

  TestLoop loop;
  FakeHost host{loop};
  std::vector<std::string> identities;
  std::vector<GuestFrame> told;
  std::string heard;  // bytes of all commands
  bool off = false;

 private:
  void OnReadable(wire::ChannelId id) {
    const std::string bytes(host.mux().Readable(id));
    host.mux().Consume(id, bytes.size());
    if (id != wire::kControlChannel) {
      heard += bytes;
      return;
    }
    control_ += bytes;
    while (const auto frame = VALUE_OF(wire::ParseFrame(control_, wire::kMaxControlFrame))) {
      REQUIRE(told.emplace_back().ParseFromString(std::string(frame->payload)));
      control_.erase(0, frame->size);
    }
  }

  UniqueFd null_;
  std::unique_ptr<Reaper> reaper_;
  ProcessGroups groups_;
  absl::AnyInvocable<void(Status)> apply_;
  std::string control_;
  Agent agent_;
};

}  // namespace

TEST_CASE("a command that comes before the identity runs after it, with its environment") {
  Machine machine;
  machine.Run("echo it is $A");
  machine.loop.RunReady();
  REQUIRE(machine.heard.empty());
  machine.Identify(OkStatus());
  REQUIRE(machine.Heard("it is from the session"));
  REQUIRE(machine.told[0].configured().error().empty());
  REQUIRE_FALSE(machine.told[0].configured().kernel().empty());
  REQUIRE(machine.identities == std::vector<std::string>{"box"});
}

TEST_CASE("a machine without its identity runs nothing") {
  Machine machine;
  machine.Run("echo no");
  machine.Identify(Internal("the clock is broken"));
  REQUIRE(machine.told[0].configured().error() == "INTERNAL: the clock is broken");
  machine.loop.RunReady();
  REQUIRE(machine.heard.empty());
}

TEST_CASE("a signal of the host reaches its command") {
  Machine machine;
  machine.Identify(OkStatus());
  const wire::ChannelId channel =
      machine.Run("trap 'echo caught; exit' USR1; echo ready; while :; do sleep 0.01; done");
  REQUIRE(machine.Heard("ready"));
  HostFrame frame;
  frame.mutable_signal()->set_exec(channel);
  frame.mutable_signal()->set_signal(SIGUSR1);
  machine.Tell(frame);
  REQUIRE(machine.Heard("caught"));
}

TEST_CASE("quiesce is answered with its token") {
  Machine machine;
  HostFrame frame;
  frame.mutable_quiesce()->set_token(42);
  machine.Tell(frame);
  REQUIRE(machine.loop.RunUntil([&] { return !machine.told.empty(); }));
  REQUIRE(machine.told[0].quiesced().token() == 42);
}

TEST_CASE("power-off is said before it is done") {
  Machine machine;
  machine.Identify(OkStatus());
  HostFrame frame;
  frame.mutable_power_off()->set_grace_ms(1);
  machine.Tell(frame);
  REQUIRE(machine.loop.RunUntil([&] { return machine.off; }));
  REQUIRE(machine.told.back().has_powering_off());
}

TEST_CASE("a frame of a later host is passed over") {
  Machine machine;
  machine.host.mux().Write(wire::kControlChannel,
                           wire::EncodeFrame(wire::FrameKind::kMessage, "\x9a\x06\x01x"));
  machine.Identify(OkStatus());
  REQUIRE(machine.told[0].configured().error().empty());
}

TEST_CASE("a control frame that cannot be read ends the machine") {
  Machine machine;
  machine.host.mux().Write(wire::kControlChannel,
                           wire::EncodeFrame(wire::FrameKind::kMessage, "\xff\xff\xff"));
  REQUIRE(machine.loop.RunUntil([&] { return machine.off; }));
}

TEST_CASE("commands do not notice that the link was cut") {
  Machine machine;
  machine.Identify(OkStatus());
  machine.Run("echo ready; i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done; echo finished");
  REQUIRE(machine.Heard("ready"));
  for (int cut = 0; cut < 5; ++cut) {
    machine.host.Cut();
    REQUIRE(machine.loop.RunUntil([&] { return machine.host.linked(); }));
  }
  REQUIRE(machine.Heard("299\n"));
  REQUIRE(machine.Heard("finished"));
}

}  // namespace capsem::agent
