#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunCreate(const Args& args) {
  if (!args.words().empty()) {
    return WithRemedy(InvalidArgument("create takes no {}", args.words().front()),
                      "a name is given with -n NAME; a command is run with `capsem exec`");
  }
  v1::CreateSessionRequest request = TRY(MachineOf(args));
  request.set_name(args.Text("--name").value_or(""));
  if (args.Flag("--name") && request.name().empty())
    return WithRemedy(InvalidArgument("the name is empty"),
                      "leave -n out for a session without a name");
  TRY(AddEnvironment(args, *request.mutable_env()));
  const Connection connection = TRY(Connect());
  const v1::Session session = TRY(connection.client->Create(request));
  WriteStderr(IsolationWarning(session.isolation(), args.Flag("--quiet")));
  TRY(WriteStdout(args.Flag("--json") ? JsonText(ToJson(session)) : session.id() + '\n'));
  return 0;
}

}  // namespace

const Verb kCreateVerb = {
    .name = "create",
    .alias = "",
    .synopsis = "[OPTION…]",
    .summary = "Make a session and start its machine; prints its id.",
    .about =
        "Answers at once; commands sent to it wait until it has booted. With a name it is kept\n"
        "after a stop, without one it is gone then.",
    .options = {{"-n, --name", "NAME",
                 "keeps the session; 1 to 64 letters, digits, - and _, the first no - or _"},
                kImageOption,
                kCpusOption,
                kMemoryOption,
                kRamOption,
                kDiskOption,
                kEnvOption,
                {"-q, --quiet", "", "no warnings"},
                kJsonOption},
    .example = "  capsem create -n box --cpus 2 --memory 1024\n  capsem exec box -- uname -a",
    .failures =
        "  3: the name is taken, or there is no such image: see `capsem list`, `capsem image "
        "list`\n"
        "  2: a size is out of bounds: the message says which bounds\n"
        "  5: as many sessions run as may (max_running), or too little memory or disk is free: "
        "stop one",
    .run = RunCreate,
};

}  // namespace capsem::cli
