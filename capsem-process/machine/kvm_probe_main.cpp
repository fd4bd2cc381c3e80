// capsem-kvm-probe [CACHE_FILE]: says in one line of JSON whether KVM is usable on this host,
// within 300 ms, and exits with 0 either way. A program of its own, because a broken KVM may keep
// whoever touches it.
#include <cstdio>

#include "machine/kvm_probe.h"

int main(int argc, char** argv) {
  if (argc > 2) {
    std::fprintf(stderr, "usage: capsem-kvm-probe [CACHE_FILE]\n");
    return 2;
  }
  const auto verdict = capsem::process::ProbeKvm(argc == 2 ? argv[1] : "");
  std::puts(capsem::process::ToJson(verdict).c_str());
  return 0;
}
