// capsem-process: one VM, and the line to its guest. Started by capsem-service only (config.h).
#include <cstdio>

#include "app.h"
#include "base/log.h"
#include "config.h"

namespace {

capsem::StatusOr<int> Run(int argc, char** argv) {
  capsem::process::Config config = TRY(capsem::process::Config::FromArguments(argc, argv));
  capsem::log::Configure("capsem-process", config.launch.session_id());
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
