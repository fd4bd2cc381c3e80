#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunPersist(const Args& args) {
  if (args.words().empty() || args.words().size() > 2) {
    return WithRemedy(InvalidArgument("persist wants a session, and a name if it is to have one"),
                      "for example: capsem persist $(capsem create) box");
  }
  v1::PersistSessionRequest request;
  request.set_session(args.words()[0]);
  if (args.words().size() == 2) request.set_name(args.words()[1]);
  if (args.words().size() == 2 && request.name().empty())
    return WithRemedy(InvalidArgument("the name is empty"),
                      "leave it out for a session without one");
  const Connection connection = TRY(Connect());
  const v1::Session session = TRY(connection.client->Persist(request));
  TRY(WriteStdout(args.Flag("--json") ? JsonText(ToJson(session)) : session.id() + '\n'));
  return 0;
}

}  // namespace

const Verb kPersistVerb = {
    .name = "persist",
    .alias = "",
    .synopsis = "[OPTION…] SESSION [NAME]",
    .summary = "Make a session stay after a stop, and give it a name; prints its id.",
    .about = "Its machine runs on; its guest learns of the name when it starts the next time.",
    .options = {kJsonOption},
    .example = "  capsem persist k3jx5a7qmz2c box",
    .failures =
        "  3: there is no such session, or the name is taken: see `capsem list`\n"
        "  4: it stays already (`capsem rename` gives it another name), or has lost its disk\n"
        "  2: a name has 1 to 64 letters, digits, - and _, the first a letter or a digit",
    .run = RunPersist,
};

}  // namespace capsem::cli
