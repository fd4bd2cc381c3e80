// capsem: the command line. What it does is in command_line and in commands/.
#include <fcntl.h>
#include <unistd.h>

#include "command_line.h"
#include "lost_output.h"

// Descriptors 0 to 2 are never free, so that nothing of ours becomes somebody's stdin or stdout.
// Reading the stand-in is the end at once; writing it is an error. Libraries open descriptors in
// their constructors, and ignore signals: this runs before those.
static void BeforeLibraries() {
  int fd;
  do {
    fd = open("/dev/null", O_RDONLY);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) close(fd);
  capsem::cli::NoteSigpipe();
}
__attribute__((section(".preinit_array"),
               used)) static void (*const kBeforeLibraries)() = BeforeLibraries;

int main(int argc, char** argv) {
  const int code = capsem::cli::RunCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  // Not exit(): threads of gRPC may still be at the end of a call, and need what exit destroys.
  _exit(code);
}
