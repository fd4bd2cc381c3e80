// One command for as long as it is remembered: what it was, what it has written, who reads that,
// and how it ended. Owned by the exec table; outlives its readers. Loop thread.
//
// Every reader is waited for: the command is held while one of them is more than kExecSpoolMemory
// behind. Without readers the spool takes the output until it is full; then the command is held, or
// the oldest output goes, as its request says (WhenFull).
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "capsem/v1/execs.pb.h"
#include "guest/exec_reader.h"
#include "guest/exec_spool.h"

namespace capsem::process {

class ExecRecord {
 public:
  // `on_room` comes after takes() has said no, when it may say yes.
  ExecRecord(Loop& loop, uint64_t id, const capsem::v1::ExecStart& request, SpoolPlace spool,
             absl::AnyInvocable<void()> on_room);
  ExecRecord(const ExecRecord&) = delete;
  ExecRecord& operator=(const ExecRecord&) = delete;

  uint64_t id() const { return info_.exec(); }

  // ---- what comes of the command
  // May more of its output be added?
  bool takes();
  void Add(OutputStream stream, std::string_view bytes);
  void OnStdinReady();
  // It may end of that: what it has written by then is taken, too, or its end would not be heard.
  void OnSignal();
  // Once, one of them, and nothing is added afterwards.
  void Exit(const capsem::v1::ExecExit& exit);
  void Fail(Status reason);

  // ---- for those who want to know
  // From `offset` on; without one, from the first byte there is, and how many are gone is told.
  // OutOfRange: it has no such bytes, or has them no more.
  StatusOr<std::unique_ptr<ExecReader>> Attach(std::optional<uint64_t> offset, ExecSink sink);
  bool has_readers() const { return !readers_.empty(); }
  capsem::v1::ExecInfo Info() const;
  size_t file_bytes() const { return spool_.file_bytes(); }

 private:
  friend class ExecReader;
  bool HasRoom() const;
  void Forget(const ExecReader* reader);
  // A reader has moved on, or there is something to be read.
  void OnProgress();
  void PumpAll();

  Loop& loop_;
  capsem::v1::ExecInfo info_;
  const bool drops_;
  ExecSpool spool_;
  absl::AnyInvocable<void()> on_room_;
  bool held_ = false;
  bool signalled_ = false;
  std::optional<Status> end_;  // Ok: info_ has the exit
  std::vector<ExecReader*> readers_;
};

}  // namespace capsem::process
