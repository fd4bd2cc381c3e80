#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client_files.h"
#include "commands.h"
#include "connection.h"
#include "copy_end.h"
#include "copy_from_guest.h"
#include "copy_to_guest.h"
#include "machine_options.h"
#include "output.h"

namespace capsem::cli {
namespace {

Status ToStdout(GuestFiles& guest, const std::string& path) {
  return guest.Read(
      path, [](const v1::FileInfo&) { return OkStatus(); },
      [](std::string_view bytes) { return WriteStdout(bytes); });
}

StatusOr<CopyTally> FromGuest(GuestFiles& guest, Progress& progress, const CopyPlan& plan) {
  if (plan.to.kind == CopyEnd::Kind::kStream) {
    TRY(ToStdout(guest, plan.from.path));
    return CopyTally{.files = 1};
  }
  CopyFromGuest copy(guest, progress);
  TRY(copy.Copy(plan.from.path, plan.to.path));
  return copy.tally();
}

StatusOr<CopyTally> ToGuest(GuestFiles& guest, Progress& progress, const CopyPlan& plan) {
  CopyToGuest copy(guest, progress);
  if (plan.from.kind == CopyEnd::Kind::kStream) {
    TRY(copy.CopyStream(STDIN_FILENO, plan.to.path));
  } else {
    TRY(copy.Copy(plan.from.path, plan.to.path));
  }
  return copy.tally();
}

Status Tell(const CopyTally& tally, uint64_t bytes, const CopyPlan& plan) {
  // stdout belongs to the file then.
  if (plan.to.kind == CopyEnd::Kind::kStream) return OkStatus();
  return WriteStdout(JsonText({{"files", tally.files},
                               {"folders", tally.folders},
                               {"links", tally.links},
                               {"bytes", bytes},
                               {"skipped", tally.skipped}}));
}

StatusOr<int> RunCp(const Args& args) {
  if (args.words().size() != 2) {
    return WithRemedy(InvalidArgument("cp wants a source and a destination"),
                      "for example: capsem cp notes.txt box:/workspace");
  }
  const CopyPlan plan = TRY(PlanCopy(args.words()[0], args.words()[1]));
  const bool to_guest = plan.to.kind == CopyEnd::Kind::kGuest;
  const bool json = args.Flag("--json");
  const Connection connection = TRY(Connect());
  const auto guest = OpenGuestFiles(*connection.loop, connection.dir,
                                    to_guest ? plan.to.session : plan.from.session);
  CopyTally tally;
  uint64_t bytes = 0;
  {
    Progress progress(json || args.Flag("--quiet") ? Progress::Shown::kNever
                                                   : Progress::Shown::kIfTerminal);
    tally = TRY(to_guest ? ToGuest(*guest, progress, plan) : FromGuest(*guest, progress, plan));
    bytes = progress.total();
  }
  if (json) TRY(Tell(tally, bytes, plan));
  if (tally.skipped.empty()) return 0;
  if (!json) {
    for (const std::string& what : tally.skipped) WriteStderr("capsem: not copied: " + what + '\n');
  }
  return WithRemedy(
      FailedPrecondition("all but {} of what is there was copied", tally.skipped.size()),
      "an archive has them all: `capsem exec SESSION tar c …`");
}

}  // namespace

const Verb kCpVerb = {
    .name = "cp",
    .alias = "",
    .synopsis = "[OPTION…] SOURCE DESTINATION",
    .summary = "Copy files and folders into a session, or out of it.",
    .about =
        "One of the two is SESSION:PATH. Its path is absolute, or below /workspace, and has no "
        "`..`.\n"
        "The other is a path of this host, or - for stdin or stdout. A destination that is a "
        "folder\n"
        "takes the source under its own name; a source that ends with /. is what it holds. "
        "Folders\n"
        "are copied with all they hold; modes are kept, but for setuid; owners and times are not.\n"
        "A file appears whole, in place of the old one: a copy that breaks off leaves that one.\n"
        "Out of a session no devices are copied, and no links that lead out of what is copied.",
    .options = {{"-q, --quiet", "", "no progress"}, kJsonOption},
    .example =
        "  capsem cp src box:                  # a folder, to /workspace/src\n"
        "  capsem cp box:/etc/hostname .\n"
        "  capsem cp box:out/. results\n"
        "  tar c . | capsem cp - box:/tmp/all.tar",
    .failures =
        "  3: there is no such session or file: see `capsem list`, `capsem exec SESSION ls`\n"
        "  4: a folder where a file is wanted, or the session does not run: `capsem start` it\n"
        "  5: no space is left, there or here: `capsem exec SESSION df -h`",
    .run = RunCp,
};

}  // namespace capsem::cli
