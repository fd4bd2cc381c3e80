// capsem-process: one VM, and the line to its guest. Started by capsem-service only (config.h).
#include <cstdio>

#include "app.h"
#include "base/log.h"
#include "config.h"
#include "confine/confine.h"
#include "wire/run_dir.h"

namespace {

// Of process.log, and as much of the one before it: thousands of starts, or of complaints.
constexpr size_t kLogBytes = size_t{1} << 20;

// The first of the three steps (confine/confine.h); the others are the app's.
capsem::Status Confine(const capsem::process::Config& config) {
  const auto& launch = config.launch;
  capsem::process::ConfineSpec spec;
  spec.session_folder = launch.session_dir();
  if (launch.qemu_argv_size() > 0) spec.qemu = launch.qemu_argv(0);
  spec.kvm = launch.accelerator() == "kvm";
  for (const auto& hole : launch.holes()) {
    const auto file = config.files.find(hole.name());
    if (!hole.writable() && file != config.files.end())
      spec.image_files.push_back(file->second.get());
  }
  const int abi = TRY(capsem::process::ConfineBoth(spec));
  for (const std::string& gap : capsem::LandlockGaps(abi))
    capsem::log::Warning("confined, but", {{"gap", gap}});
  return capsem::OkStatus();
}

capsem::StatusOr<int> Run(int argc, char** argv) {
  capsem::process::Config config = TRY(capsem::process::Config::FromArguments(argc, argv));
  TRY(capsem::log::KeepIn(config.launch.session_dir() + "/" + capsem::session_file::kProcessLog,
                          kLogBytes));
  capsem::log::Configure("capsem-process", config.launch.session_id());
  TRY(Confine(config));
  capsem::Loop loop;
  auto app = TRY(capsem::process::App::Create(loop, std::move(config)));
  loop.Run();
  return app->exit_code();
}

}  // namespace

int main(int argc, char** argv) {
  const auto code = Run(argc, argv);
  if (code.ok()) return *code;
  std::fprintf(stderr, "capsem-process: %s\n", capsem::Describe(code.status()).c_str());
  return 1;
}
