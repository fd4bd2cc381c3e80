// A machine that boots, dies or hangs on order. Answers come from the loop, as a real machine's do.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "base/weak.h"
#include "machine/machine.h"

namespace capsem::process {

class FakeMachine : public Machine {
 public:
  // What every verb from now on does.
  enum class Mood { kObeys, kFails, kHangs };

  FakeMachine(Loop& loop, Events events) : loop_(loop), events_(std::move(events)) {}

  void Boot(UniqueFd vsock_end, Done done) override {
    vsock_end_ = std::move(vsock_end);
    running_ = mood == Mood::kObeys;
    if (mood == Mood::kHangs) {
      asked_.push_back("boot");
      booting_ = std::move(done);
      return;
    }
    Answer("boot", std::move(done));
  }
  void Kill(const std::string& why) override { Die({false, why}); }
  void Pause(Done done) override { Answer("pause", std::move(done)); }
  void Resume(Done done) override { Answer("resume", std::move(done)); }
  void PlugVsock(UniqueFd vsock_end, Done done) override {
    if (mood == Mood::kObeys) vsock_end_ = std::move(vsock_end);
    Answer("plug", std::move(done));
  }
  void UnplugVsock(Done done) override {
    if (mood == Mood::kObeys) vsock_end_.Reset();
    Answer("unplug", std::move(done));
  }
  pid_t pid() const override { return running_ ? 4242 : 0; }

  // The orders of a test.
  Mood mood = Mood::kObeys;
  // The machine ends: told from the loop. A boot that hangs fails with it.
  void Die(Exit exit) {
    vsock_end_.Reset();
    if (booting_) {
      loop_.Post([done = std::exchange(booting_, nullptr), exit]() mutable {
        done(Unavailable("{}", exit.reason));
      });
    }
    if (!std::exchange(running_, false)) return;
    loop_.Post([self = weak_.Get(), exit] {
      if (self) self->events_.on_exit(exit);
    });
  }
  void Stall(Status status) { events_.on_stalled(std::move(status)); }

  // What was asked, in order: "boot", "pause", …
  const std::vector<std::string>& asked() const { return asked_; }
  // The device's end of the vhost-user socket; empty while unplugged.
  const UniqueFd& vsock_end() const { return vsock_end_; }

 private:
  void Answer(std::string verb, Done done) {
    asked_.push_back(verb);
    if (mood == Mood::kHangs) {
      hanging_.push_back(std::move(done));
      return;
    }
    Status status =
        mood == Mood::kObeys ? OkStatus() : Unavailable("the machine refused to {}", verb);
    loop_.Post([self = weak_.Get(), done = std::move(done), status]() mutable {
      if (self) done(status);
    });
  }

  Loop& loop_;
  Events events_;
  UniqueFd vsock_end_;
  bool running_ = false;
  Done booting_;
  std::vector<Done> hanging_;
  std::vector<std::string> asked_;
  WeakOwner<FakeMachine> weak_{this};
};

}  // namespace capsem::process
