#include <unistd.h>

#include "commands.h"
#include "connection.h"
#include "installation.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"
#include "program_keys.h"

namespace capsem::cli {
namespace {

constexpr size_t kShortDigest = 12;  // as many as ids have

StatusOr<int> RunImageBuild(const Args& args) {
  if (!args.words().empty()) {
    return WithRemedy(InvalidArgument("image build takes no {}", args.words().front()),
                      "a name is given with --name NAME");
  }
  const Installation installation = TRY(Installation::Find());
  const std::string builder = TRY(installation.ImageBuilder());
  const RunDir dir = TRY(RunDir::FromEnvironment());
  TRY(dir.Make());
  TRY(TrustProgramKeys(installation.programs, dir.Keys()));
  const std::string agent = installation.Agent();
  const std::string name = args.Text("--name").value_or("base");
  std::vector<const char*> argv = {builder.c_str(), "--agent", agent.c_str(), "--name",
                                   name.c_str()};
  for (const char* flag : {"--refresh", "--json", "--quiet"}) {
    if (args.Flag(flag)) argv.push_back(flag);
  }
  argv.push_back(nullptr);
  execv(builder.c_str(), const_cast<char* const*>(argv.data()));
  return FromErrno("start {}", builder);
}

StatusOr<int> RunImageList(const Args& args) {
  TRY(NoWords(args, "image list"));
  const Connection connection = TRY(Connect());
  const v1::ListImagesResponse list = TRY(connection.client->ListImages());
  std::string text;
  Table table({"NAME", "DIGEST", "SIZE", "KERNEL", "CREATED", "PROBLEM"});
  for (const v1::Image& image : list.images()) {
    if (args.Flag("--quiet")) text += image.name() + '\n';
    const bool known = !image.digest().empty();  // its manifest could be read
    table.Add({Printable(image.name()), known ? image.digest().substr(0, kShortDigest) : "-",
               known ? Bytes(image.size()) : "-", known ? Printable(image.kernel_release()) : "-",
               known ? TimeText(image.created_unix_ms()) : "-", Printable(image.error())});
  }
  if (args.Flag("--json")) text = JsonText(ToJson(list)["images"]);
  if (text.empty() && !args.Flag("--quiet")) text = table.ToString();
  TRY(WriteStdout(text));
  return 0;
}

std::string TextOf(const v1::Image& image) {
  std::string text = KeyValues({{"name", Printable(image.name())},
                                {"digest", image.digest()},
                                {"size", Bytes(image.size())},
                                {"kernel", Printable(image.kernel_release())},
                                {"created", TimeText(image.created_unix_ms())},
                                {"packages", std::to_string(image.packages_size())}});
  Table files({"FILE", "SIZE", "SHA256"});
  for (const v1::ImageFile& file : image.files())
    files.Add({Printable(file.name()), Bytes(file.size()), file.sha256()});
  return text + '\n' + files.ToString();
}

StatusOr<int> RunImageInspect(const Args& args) {
  if (args.words().size() > 1)
    return WithRemedy(InvalidArgument("image inspect takes one image"),
                      "for example: capsem image inspect base");
  const Connection connection = TRY(Connect());
  const v1::Image image =
      TRY(connection.client->InspectImage(args.words().empty() ? "base" : args.words().front()));
  TRY(WriteStdout(args.Flag("--json") ? JsonText(ToJson(image)) : TextOf(image)));
  return 0;
}

}  // namespace

const Verb kImageBuildVerb = {
    .name = "image build",
    .alias = "",
    .synopsis = "[OPTION…]",
    .summary = "Build an image from Debian packages, sign it, and name it.",
    .about =
        "A minute or more the first time, with progress; at once when nothing has changed.\n"
        "Prints the digest.",
    .options = {{"--name", "NAME", "what the image is called (default: base)"},
                {"--refresh", "", "take today's package versions, not those of the last build"},
                {"-q, --quiet", "", "no progress"},
                kJsonOption},
    .example = "  capsem image build --name base",
    .failures =
        "  5: the disk is full: free some space\n"
        "  4: /etc/subuid has no range for this user: the message has the line to add\n"
        "  6: Debian's packages cannot be fetched: see that the network works",
    .run = RunImageBuild,
};

const Verb kImageListVerb = {
    .name = "image list",
    .alias = "",
    .synopsis = "[OPTION…]",
    .summary = "List the images, and what would keep one from booting.",
    .about = "",
    .options = {{"-q, --quiet", "", "names only"}, kJsonOption},
    .example = "  capsem image list",
    .failures =
        "  6: the service could not be started: the message names its log\n"
        "  8: another user's service: set CAPSEM_HOME to a folder of your own\n"
        "  4: neither HOME nor CAPSEM_HOME is set: set one",
    .run = RunImageList,
};

const Verb kImageInspectVerb = {
    .name = "image inspect",
    .alias = "",
    .synopsis = "[OPTION…] [IMAGE]",
    .summary = "Verify an image, file by file, and show what is in it.",
    .about = "Without a name: base. With --json: every package and its version, too.",
    .options = {kJsonOption},
    .example = "  capsem image inspect base",
    .failures =
        "  3: there is no such image: run `capsem image build`\n"
        "  125: a file is not as the signed manifest says: the message names it; build it again\n"
        "  6: the service could not be started: the message names its log",
    .run = RunImageInspect,
};

}  // namespace capsem::cli
