#include "files/file_server.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::agent {
namespace {

using namespace capsem::guest::v1;
using wire::FrameKind;

// What one operation came to.
struct Answer {
  StatusCode code = StatusCode::kUnknown;
  std::string cause, remedy;
  std::optional<FileInfo> info;
  std::string data;
  std::map<std::string, FileInfo> entries;
};

// A tree of its own, and its server in a process for each operation, as the agent has it.
class Tree {
 public:
  Tree()
      : root_(open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
        proc_(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    std::filesystem::create_directory(dir / "workspace");
  }

  Answer Ask(const FileRequest& request, const std::vector<std::string>& data = {},
             bool commit = true) {
    auto [ours, theirs] = VALUE_OF(SocketPair());
    const pid_t pid = _Fork();
    if (pid == 0) {
      ours.Reset();
      ServeFileCall(FileTree(root_.get(), proc_.get()), theirs.get());
      _exit(0);
    }
    theirs.Reset();
    FileFrames frames(ours.get());
    REQUIRE_OK(frames.Send(FrameKind::kFileRequest, request));
    for (const std::string& piece : data) {
      if (!frames.Send(FrameKind::kFileData, piece).ok()) break;
    }
    if (commit && request.verb() == FILE_VERB_WRITE) (void)frames.Send(FrameKind::kFileCommit, "");
    if (!commit) shutdown(ours.get(), SHUT_WR);
    const Answer answer = Hear(frames);
    ours.Reset();
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(status == 0);
    return answer;
  }
  Answer Ask(FileVerb verb, const std::string& path) {
    FileRequest request;
    request.set_verb(verb);
    request.set_path(path);
    return Ask(request);
  }
  Answer Write(const std::string& path, const std::vector<std::string>& data,
               std::optional<uint32_t> mode = {}, bool create_only = false) {
    FileRequest request;
    request.set_verb(FILE_VERB_WRITE);
    request.set_path(path);
    if (mode) request.set_mode(*mode);
    request.set_create_only(create_only);
    return Ask(request, data);
  }
  Answer Rename(const std::string& path, const std::string& other, bool replace) {
    FileRequest request;
    request.set_verb(FILE_VERB_RENAME);
    request.set_path(path);
    request.set_other(other);
    request.set_replace(replace);
    return Ask(request);
  }
  Answer Remove(const std::string& path, bool recursive) {
    FileRequest request;
    request.set_verb(FILE_VERB_REMOVE);
    request.set_path(path);
    request.set_recursive(recursive);
    return Ask(request);
  }
  Answer Mkdir(const std::string& path, bool parents, std::optional<uint32_t> mode = {}) {
    FileRequest request;
    request.set_verb(FILE_VERB_MKDIR);
    request.set_path(path);
    request.set_parents(parents);
    if (mode) request.set_mode(*mode);
    return Ask(request);
  }
  void Put(const std::string& path, const std::string& content) {
    std::ofstream(dir / path) << content;
  }
  std::string Content(const std::string& path) const {
    std::ifstream file(dir / path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  mode_t Mode(const std::string& path) const {
    struct stat stat {};
    REQUIRE(lstat((dir / path).c_str(), &stat) == 0);
    return stat.st_mode & 07777;
  }
  size_t Count(const std::string& path) const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(dir / path), {}));
  }

  TempDir dir;

 private:
  static Answer Hear(FileFrames& frames) {
    Answer answer;
    for (;;) {
      const auto frame = frames.Next();
      if (!frame.ok()) return answer;
      const std::string payload(frame->payload);
      FileEntries entries;
      FileEnd end;
      switch (frame->kind) {
        case FrameKind::kFileInfo: REQUIRE(answer.info.emplace().ParseFromString(payload)); break;
        case FrameKind::kFileData: answer.data += payload; break;
        case FrameKind::kFileEntries:
          REQUIRE(entries.ParseFromString(payload));
          for (const auto& entry : entries.entries()) answer.entries[entry.name()] = entry.info();
          break;
        default:
          REQUIRE(frame->kind == FrameKind::kFileEnd);
          REQUIRE(end.ParseFromString(payload));
          answer.code = static_cast<StatusCode>(end.code());
          answer.cause = end.cause();
          answer.remedy = end.remedy();
          return answer;
      }
    }
  }

  const UniqueFd root_, proc_;
};

}  // namespace

TEST_CASE("what was written is read, whatever its name and size") {
  Tree tree;
  const std::string name = GENERATE("plain", "with space", "line\nfeed", "\xff\xfe", ".hidden");
  const size_t size = GENERATE(0, 1, 200'000);
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7);
  const Answer written = tree.Write(
      name, {bytes.substr(0, 60'000), bytes.substr(std::min<size_t>(size, 60'000), 60'000),
             size > 120'000 ? bytes.substr(120'000, 60'000) : "",
             size > 180'000 ? bytes.substr(180'000) : ""});
  INFO(written.cause);
  REQUIRE(written.code == StatusCode::kOk);
  REQUIRE(written.info->size() == size);
  REQUIRE(tree.Content("workspace/" + name) == bytes);
  const Answer read = tree.Ask(FILE_VERB_READ, "/workspace/" + name);
  REQUIRE(read.code == StatusCode::kOk);
  REQUIRE(read.data == bytes);
  REQUIRE(read.info->type() == FileInfo::TYPE_FILE);
  REQUIRE(tree.Count("workspace") == 1);
}

TEST_CASE("a mode is kept, given, or the usual one; never more than permissions") {
  Tree tree;
  struct Case {
    int before;  // -1: no file
    std::optional<uint32_t> asked;
    mode_t after;
  };
  const auto c = GENERATE(Case{-1, {}, 0644}, Case{-1, 0755, 0755}, Case{0751, {}, 0751},
                          Case{0600, 0444, 0444}, Case{04755, {}, 0755}, Case{-1, 0, 0});
  if (c.before >= 0) {
    tree.Put("f", "old");
    chmod((tree.dir / "f").c_str(), static_cast<mode_t>(c.before));
  }
  REQUIRE(tree.Write("/f", {"new"}, c.asked).code == StatusCode::kOk);
  REQUIRE(tree.Mode("f") == c.after);
  REQUIRE(tree.Content("f") == "new");
}

TEST_CASE("a write that breaks off leaves the old file and nothing else") {
  Tree tree;
  tree.Put("f", "old");
  FileRequest request;
  request.set_verb(FILE_VERB_WRITE);
  request.set_path("/f");
  REQUIRE(tree.Ask(request, {"new"}, false).code == StatusCode::kCancelled);
  REQUIRE(tree.Content("f") == "old");
  REQUIRE(tree.Count(".") == 2);
  REQUIRE(tree.Write("/f", {"new"}, {}, true).code == StatusCode::kAlreadyExists);
  REQUIRE(tree.Content("f") == "old");
  REQUIRE(tree.Write("/fresh", {"new"}, {}, true).code == StatusCode::kOk);
}

TEST_CASE("links lead anywhere in the tree, and never out of it") {
  Tree tree;
  tree.Put("inside", "in the tree");
  std::filesystem::create_directories(tree.dir / "a/b");
  std::filesystem::create_symlink("/inside", tree.dir / "absolute");
  std::filesystem::create_symlink("../../../../../../inside", tree.dir / "a/b/up");
  std::filesystem::create_symlink("/a", tree.dir / "folder");
  std::filesystem::create_symlink("/etc/passwd", tree.dir / "outside");
  std::filesystem::create_symlink("loop", tree.dir / "loop");
  std::filesystem::create_symlink("/proc/self/root/etc/passwd", tree.dir / "magic");
  for (const char* path : {"/absolute", "/a/b/up", "/folder/b/up"}) {
    INFO(path);
    REQUIRE(tree.Ask(FILE_VERB_READ, path).data == "in the tree");
  }
  REQUIRE(tree.Ask(FILE_VERB_READ, "/outside").code == StatusCode::kNotFound);
  REQUIRE(tree.Ask(FILE_VERB_READ, "/magic").code == StatusCode::kNotFound);
  REQUIRE(tree.Ask(FILE_VERB_READ, "/loop").code == StatusCode::kFailedPrecondition);
  // Writing takes the link's place.
  REQUIRE(tree.Write("/absolute", {"mine"}).code == StatusCode::kOk);
  REQUIRE(tree.Content("inside") == "in the tree");
  REQUIRE(std::filesystem::is_regular_file(std::filesystem::symlink_status(tree.dir / "absolute")));
  const Answer link = tree.Ask(FILE_VERB_STAT, "/outside");
  REQUIRE(link.info->type() == FileInfo::TYPE_SYMLINK);
  REQUIRE(link.info->link_target() == "/etc/passwd");
}

TEST_CASE("what is no file is told of, and never opened") {
  Tree tree;
  REQUIRE(mkfifo((tree.dir / "pipe").c_str(), 0600) == 0);
  REQUIRE(tree.Ask(FILE_VERB_READ, "/pipe").code == StatusCode::kFailedPrecondition);
  REQUIRE(tree.Write("/pipe", {"x"}).code == StatusCode::kFailedPrecondition);
  REQUIRE(tree.Ask(FILE_VERB_STAT, "/pipe").info->type() == FileInfo::TYPE_OTHER);
  REQUIRE(tree.Ask(FILE_VERB_READ, "/workspace").code == StatusCode::kFailedPrecondition);
  REQUIRE(tree.Write("/workspace", {"x"}).code == StatusCode::kFailedPrecondition);
  REQUIRE(tree.Write("/", {"x"}).code == StatusCode::kFailedPrecondition);
  REQUIRE(tree.Write("/nowhere/f", {"x"}).code == StatusCode::kNotFound);
  REQUIRE(tree.Write("/workspace/../f", {"x"}).code == StatusCode::kInvalidArgument);
  const Answer none = tree.Ask(FILE_VERB_READ, "/none");
  REQUIRE(none.code == StatusCode::kNotFound);
  REQUIRE_FALSE(none.remedy.empty());
}

TEST_CASE("a folder is listed whole, however much it holds") {
  Tree tree;
  for (int i = 0; i < 2000; ++i)
    tree.Put("workspace/a name that is not short " + std::to_string(i), "x");
  std::filesystem::create_symlink("somewhere", tree.dir / "workspace/link");
  const Answer answer = tree.Ask(FILE_VERB_LIST, ".");
  REQUIRE(answer.code == StatusCode::kOk);
  REQUIRE(answer.entries.size() == 2001);
  REQUIRE(answer.entries.at("link").link_target() == "somewhere");
  REQUIRE(tree.Ask(FILE_VERB_LIST, "/workspace/link").code == StatusCode::kNotFound);
  tree.Put("f", "");
  REQUIRE(tree.Ask(FILE_VERB_LIST, "/f").code == StatusCode::kFailedPrecondition);
  REQUIRE(tree.Ask(FILE_VERB_LIST, "/workspace/none").code == StatusCode::kNotFound);
}

TEST_CASE("folders are made with their mode, and with what is missing above") {
  Tree tree;
  REQUIRE(tree.Mkdir("/d", false, 0777).code == StatusCode::kOk);
  REQUIRE(tree.Mode("d") == 0777);
  REQUIRE(tree.Mkdir("/d", false).code == StatusCode::kAlreadyExists);
  REQUIRE(tree.Mkdir("/d", true).code == StatusCode::kOk);
  REQUIRE(tree.Mode("d") == 0777);
  REQUIRE(tree.Mkdir("/x/y/z", false).code == StatusCode::kNotFound);
  REQUIRE(tree.Mkdir("/x/y/z", true, 0700).code == StatusCode::kOk);
  REQUIRE(tree.Mode("x/y") == 0755);
  REQUIRE(tree.Mode("x/y/z") == 0700);
  tree.Put("f", "");
  REQUIRE(tree.Mkdir("/f", true).code == StatusCode::kAlreadyExists);
  REQUIRE(tree.Mkdir("/f/g", true).code == StatusCode::kFailedPrecondition);
  REQUIRE(tree.Mkdir("/", true).code == StatusCode::kOk);
}

TEST_CASE("a name is moved, and takes another's place only if it may") {
  Tree tree;
  tree.Put("a", "a");
  tree.Put("b", "b");
  REQUIRE(tree.Rename("/a", "/b", false).code == StatusCode::kAlreadyExists);
  REQUIRE(tree.Rename("/a", "/workspace/c", false).code == StatusCode::kOk);
  REQUIRE(tree.Rename("/workspace/c", "/b", true).code == StatusCode::kOk);
  REQUIRE(tree.Content("b") == "a");
  REQUIRE(tree.Rename("/a", "/c", false).code == StatusCode::kNotFound);
  REQUIRE(tree.Rename("/workspace", "/workspace/in", false).code == StatusCode::kInvalidArgument);
}

TEST_CASE("what is removed is gone, and what a link points to is not") {
  Tree tree;
  std::filesystem::create_directories(tree.dir / "d/e/f");
  tree.Put("d/e/file", "x");
  std::filesystem::create_directory(tree.dir / "kept");
  tree.Put("kept/file", "x");
  std::filesystem::create_directory_symlink("/kept", tree.dir / "d/e/link");
  std::filesystem::create_directory_symlink("../kept", tree.dir / "d/relative");
  REQUIRE(tree.Remove("/d", false).code == StatusCode::kFailedPrecondition);
  const Answer removed = tree.Remove("/d", true);
  INFO(removed.cause);
  REQUIRE(removed.code == StatusCode::kOk);
  REQUIRE_FALSE(std::filesystem::exists(tree.dir / "d"));
  REQUIRE(tree.Content("kept/file") == "x");
  REQUIRE(tree.Remove("/d", true).code == StatusCode::kNotFound);
  REQUIRE(tree.Remove("/", true).code == StatusCode::kFailedPrecondition);
  REQUIRE(tree.Remove("/kept/file", false).code == StatusCode::kOk);
  REQUIRE(tree.Remove("/kept", false).code == StatusCode::kOk);
}

TEST_CASE("a link says what it was told to") {
  Tree tree;
  FileRequest request;
  request.set_verb(FILE_VERB_SYMLINK);
  request.set_path("l");
  request.set_other("../any where");
  REQUIRE(tree.Ask(request).info->link_target() == "../any where");
  REQUIRE(tree.Ask(request).code == StatusCode::kAlreadyExists);
  request.set_replace(true);
  request.set_other("elsewhere");
  REQUIRE(tree.Ask(request).info->link_target() == "elsewhere");
  REQUIRE(tree.Count("workspace") == 1);
  request.set_path("/workspace");
  REQUIRE(tree.Ask(request).code == StatusCode::kFailedPrecondition);
  REQUIRE(tree.Count(".") == 1);
}

TEST_CASE("who swaps names while they are walked finds no way out") {
  Tree tree;
  TempDir outside;
  std::ofstream(outside / "secret") << "secret";
  std::filesystem::create_directory(tree.dir / "real");
  tree.Put("real/secret", "public");
  const std::string name = tree.dir / "swapped";
  const std::string link = tree.dir / "link";
  std::filesystem::create_directory(name);
  tree.Put("swapped/secret", "public");
  std::filesystem::create_directory_symlink(outside.path(), link);
  const pid_t swapper = _Fork();
  if (swapper == 0) {
    for (;;) renameat2(AT_FDCWD, name.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
  }
  for (int i = 0; i < 100; ++i) {
    const Answer answer = tree.Ask(FILE_VERB_READ, "/swapped/secret");
    CHECK((answer.data == "public" || answer.code == StatusCode::kNotFound));
    tree.Write("/swapped/written", {"x"});
  }
  kill(swapper, SIGKILL);
  waitpid(swapper, nullptr, 0);
  CHECK_FALSE(std::filesystem::exists(outside / "written"));
}

TEST_CASE("a request that is none is refused") {
  Tree tree;
  REQUIRE(tree.Ask(FILE_VERB_UNSPECIFIED, "/f").code == StatusCode::kUnimplemented);
}

}  // namespace capsem::agent
