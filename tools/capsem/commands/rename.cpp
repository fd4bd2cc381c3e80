#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunRename(const Args& args) {
  if (args.words().size() != 2) {
    return WithRemedy(InvalidArgument("rename wants a session and its new name"),
                      "for example: capsem rename box crate");
  }
  v1::RenameSessionRequest request;
  request.set_session(args.words()[0]);
  request.set_name(args.words()[1]);
  const Connection connection = TRY(Connect());
  const v1::Session session = TRY(connection.client->Rename(request));
  TRY(WriteStdout(args.Flag("--json") ? JsonText(ToJson(session)) : session.id() + '\n'));
  return 0;
}

}  // namespace

const Verb kRenameVerb = {
    .name = "rename",
    .alias = "",
    .synopsis = "[OPTION…] SESSION NAME",
    .summary = "Give a session that stays another name; prints its id.",
    .about = "In any state. Its guest learns of it when it starts the next time.",
    .options = {kJsonOption},
    .example = "  capsem rename box crate",
    .failures =
        "  3: there is no such session, or the name is taken: see `capsem list`\n"
        "  4: it does not stay, so it has no name: `capsem persist` gives it one\n"
        "  2: a name has 1 to 64 letters, digits, - and _, the first a letter or a digit",
    .run = RunRename,
};

}  // namespace capsem::cli
