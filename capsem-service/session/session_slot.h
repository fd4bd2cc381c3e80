// A session and what lives of it: its capsem-process, and the line to that. Owned by session_table;
// loop thread.
#pragma once

#include <memory>
#include <string>

#include "base/loop.h"
#include "session/session.h"
#include "supervise/process_client.h"
#include "supervise/process_host.h"
#include "wire/run_dir.h"

namespace capsem::service {

struct SessionSlot {
  SessionSlot(Loop& loop, Session its_session, std::string folder)
      : session(std::move(its_session)), dir(std::move(folder)) {
    RenewClient(loop);
  }

  // For its next machine: what was said of the last one is over.
  void RenewClient(Loop& loop) {
    client = std::make_unique<ProcessClient>(loop, dir + "/" + session_file::kProcessSocket);
  }

  Session session;
  const std::string dir;
  bool recorded = false;                  // the registry has it, or is about to
  std::unique_ptr<ProcessClient> client;  // never null: from the first moment calls wait in it
  std::unique_ptr<ProcessHost> process;   // null: nothing of its machine lives
};

}  // namespace capsem::service
