// Platform: memfd; elsewhere: Start fails with the kernel's error.
#include "define/define_run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace capsem::service {
namespace {

using nlohmann::json;

// nobody's, on every Linux.
constexpr uid_t kUnprivileged = 65534;
// An answer has some 5 KiB.
constexpr size_t kMaxAnswer = 1024 * 1024;
constexpr size_t kMaxErrors = 16 * 1024;
// The child ends what it has started before it leaves.
constexpr std::chrono::seconds kGrace{2};

StatusOr<UniqueFd> MemoryFile(const char* name, std::string_view content) {
  UniqueFd file(memfd_create(name, MFD_CLOEXEC));
  if (!file.valid() ||
      write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    return FromErrno("make a memory file");
  }
  return file;
}

std::string Content(const UniqueFd& file, size_t limit) {
  std::string text(limit, '\0');
  const ssize_t size = pread(file.get(), text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

StatusOr<UniqueFd> OpenRoot(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return FromErrno("make {}", path);
  UniqueFd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder.valid()) return FromErrno("open {}", path);
  if (geteuid() == 0 && fchown(folder.get(), kUnprivileged, kUnprivileged) != 0) {
    return FromErrno("give {} to uid {}", path, kUnprivileged);
  }
  return folder;
}

// The last line that says something: what a loader or an abort leaves behind.
std::string LastLine(std::string text) {
  const size_t end = text.find_last_not_of(" \n");
  if (end == std::string::npos) return "it said nothing";
  text.resize(end + 1);
  const size_t start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

Status ErrorFrom(const json& error) {
  if (!error.is_object()) return Internal("capsem-define told an error that is none");
  const int code = error.value("code", json()).is_number_integer()
                       ? error["code"].get<int>()
                       : static_cast<int>(StatusCode::kInternal);
  const auto text = [&](const char* key) {
    const json value = error.value(key, json());
    return value.is_string() ? value.get<std::string>() : "";
  };
  const bool known = code > static_cast<int>(StatusCode::kOk) &&
                     code <= static_cast<int>(StatusCode::kUnauthenticated);
  return WithRemedy(
      MakeStatus(known ? static_cast<StatusCode>(code) : StatusCode::kInternal, text("cause")),
      text("remedy"));
}

StatusOr<DefineAnswer> AnswerFrom(const json& said) {
  const json files = said.value("files", json());
  if (!files.is_array()) return Internal("capsem-define told no files");
  for (const char* key : {"native", "qemu", "libvirt"}) {
    if (!said.value(key, json()).is_string()) return Internal("capsem-define told no {}", key);
  }
  DefineAnswer answer{said["native"], said["qemu"], said["libvirt"], {}};
  for (const json& file : files) {
    if (!file.is_string()) return Internal("capsem-define told a file without a name");
    answer.files.push_back(file);
  }
  return answer;
}

}  // namespace

StatusOr<std::unique_ptr<DefineRun>> DefineRun::Start(Loop& loop, Spec spec, Done done) {
  std::unique_ptr<DefineRun> run(new DefineRun(loop, std::move(spec), std::move(done)));
  run->child_ = TRY(Child::Spawn(loop, TRY(run->PrepareChild()),
                                 [raw = run.get()](ExitReason reason) { raw->OnExit(reason); }));
  run->limit_.Start(run->spec_.limit, [raw = run.get()] {
    raw->over_time_ = true;
    raw->child_->Stop(kGrace);
  });
  return run;
}

DefineRun::DefineRun(Loop& loop, Spec spec, Done done)
    : spec_(std::move(spec)), done_(std::move(done)), limit_(loop) {}

StatusOr<ChildSpec> DefineRun::PrepareChild() {
  input_ = TRY(MemoryFile("domain.xml", spec_.xml));
  output_ = TRY(MemoryFile("answer", ""));
  errors_ = TRY(MemoryFile("errors", ""));
  ChildSpec child;
  child.fds.push_back(TRY(OpenRoot(spec_.root)));
  child.fds.emplace_back(open(spec_.program.c_str(), O_RDONLY | O_CLOEXEC));
  if (!child.fds.back().valid()) return FromErrno("open {}", spec_.program);
  child.program = "/proc/self/fd/4";
  child.args = {"--root", "/proc/self/fd/3", "--emulator", spec_.emulator};
  child.stdin_fd = input_.get();
  child.stdout_fd = output_.get();
  child.stderr_fd = errors_.get();
  // TERM and not KILL: it has a QEMU of its own to end.
  child.parent_death_signal = SIGTERM;
  child.new_session = true;
  if (geteuid() == 0) {
    child.args.insert(child.args.end(), {"--uid", std::to_string(kUnprivileged)});
  }
  return child;
}

void DefineRun::OnExit(ExitReason reason) {
  limit_.Cancel();
  Done done = std::move(done_);
  done(Answer(reason));
}

StatusOr<DefineAnswer> DefineRun::Answer(const ExitReason& reason) const {
  if (over_time_) {
    return WithRemedy(DeadlineExceeded("libvirt did not define the machine within {} s",
                                       spec_.limit.count() / 1000),
                      fmt::format("see whether `{} -machine none` starts at all", spec_.emulator));
  }
  const json said = json::parse(Content(output_, kMaxAnswer), nullptr, /*allow_exceptions=*/false);
  if (said.is_object() && said.contains("error")) return ErrorFrom(said["error"]);
  if (reason.clean() && said.is_object()) return AnswerFrom(said);
  const std::string last_line = LastLine(Content(errors_, kMaxErrors));
  if (last_line.find("error while loading shared libraries") != std::string::npos) {
    return WithRemedy(FailedPrecondition("libvirt is not installed: {}", last_line),
                      "sudo apt-get install libvirt0 libvirt-daemon-driver-qemu");
  }
  return Internal("capsem-define ended with {}: {}", reason.ToString(), last_line);
}

}  // namespace capsem::service
