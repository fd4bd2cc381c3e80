// A guest session with a fake guest behind it, for tests: and what those hear who read its
// commands.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "guest/guest_session.h"
#include "testing/fake_guest.h"

namespace capsem::process {

// A session with a fake guest behind it, and what it told.
struct Line {
  Line() { Configure(); }
  void Configure() {
    session = std::make_unique<GuestSession>(
        loop, GuestIdentity{"abcdefghijkl", "box", {{"COLOR", "blue"}}}, SpoolPlace{dir / "spools"},
        GuestSession::Events{
            .on_configured = [this] { configured = true; },
            .on_powering_off = [] {},
            .on_broken = [this](Status status) { broken = std::move(status); },
            .on_up = [this] { ++ups; },
        });
  }
  void Connect() {
    session->Adopt(guest.Dial());
    REQUIRE(loop.RunUntil([this] { return guest.up() && session->link_up(); }));
  }

  ExecTable& execs() { return session->execs(); }

  TestLoop loop;
  const TempDir dir;
  FakeGuest guest{loop};
  std::unique_ptr<GuestSession> session;
  bool configured = false;
  int ups = 0;
  Status broken;
};

// What one command's sink heard.
struct Heard {
  ExecSink Sink(int room = 1 << 30) {
    left = room;
    return {.on_event =
                [this](capsem::v1::ExecEvent event) {
                  output += event.stdout();
                  errors += event.stderr();
                  dropped += event.dropped();
                  if (!event.stdout().empty()) offsets.push_back(event.offset());
                  if (event.has_exit()) exit = event.exit().code();
                  return --left > 0;
                },
            .on_stdin_ready = [this] { ++stdin_ready; },
            .on_end =
                [this](Status status) {
                  ++ends;
                  end = std::move(status);
                }};
  }
  std::string output, errors;
  std::vector<uint64_t> offsets;  // of stdout's pieces
  uint64_t dropped = 0;
  std::optional<uint32_t> exit;
  int left = 0, ends = 0, stdin_ready = 0;
  Status end;
};

inline capsem::v1::ExecStart Command(const std::string& program) {
  capsem::v1::ExecStart start;
  start.add_argv(program);
  return start;
}

}  // namespace capsem::process
