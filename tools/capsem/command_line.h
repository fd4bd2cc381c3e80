// From the words of a command line to what this program exits with: finds the verb, parses its
// options, runs it, tells its error.
#pragma once

#include <string>
#include <vector>

namespace capsem::cli {

int RunCommandLine(std::vector<std::string> words);

}  // namespace capsem::cli
