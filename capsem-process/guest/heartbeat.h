// Whether the guest still answers: asked at every beat (wire::kHeartbeat), and silent when nothing
// at all has come between two beats. A guest that stops is known after two. Pure.
#pragma once

namespace capsem::process {

class Heartbeat {
 public:
  enum class Verdict { kAsk, kSilent };

  // Bytes of the guest have come, whatever they are.
  void Heard() { heard_ = true; }
  Verdict Beat();

 private:
  bool heard_ = true;  // it has just come up
};

}  // namespace capsem::process
